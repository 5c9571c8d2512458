"""functions/admin over HTTP with fakes: what an administrator sees."""

import json
from datetime import timedelta
from typing import Any

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import NOON, ManualClock, MemoryRegister
from samples import PEPPER
from sluice.applications.keys import hash_secret, mint_key, read_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.sessions import sign_session
from sluice.errors import ContractError, Denied, RejectedInput

app = load_app("admin")
APPLICATION, KEYS = "/api/applications/{name}", "/api/applications/{name}/keys"
KEY, ROTATE = "/api/keys/{key_id}", "/api/keys/{key_id}/rotate"


class Office:
    """The deployed function, with an administrator's key of the application `operators`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.register = MemoryRegister(self.clock)
        self.lookup = KeyLookup(self.register, None, PEPPER, self.clock)
        self.admin = app.Admin(None, self.register, None, PEPPER, self.clock, None, None)
        self.register.create("operators")
        self.register.create("shop")
        self.key = self.new_key("operators", "admin")
        self.headers: dict[str, str] = {}

    def new_key(self, application: str, scope: str) -> str:
        text, key = mint_key(PEPPER)
        secret_hash = hash_secret(key.secret, PEPPER)
        self.register.add_key(application, key_id=key.key_id, secret_hash=secret_hash, scopes=[scope], expires_at=None)
        return text

    def call(self, method: str, path: str, body: Any = None, *, headers: Any = None, **names: str) -> tuple[int, Any]:
        wire = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        event = rest_event(method, path, wire, headers={"X-API-Key": self.key} if headers is None else headers)
        event["pathParameters"] = names or None
        answer = app.handler(event, LambdaContext())
        self.headers = answer["headers"]
        return answer["statusCode"], json.loads(answer["body"])

    def opens(self, key: str, scope: Scope = Scope.INGEST) -> bool:
        try:
            self.lookup.authenticate(key, scope)
        except Denied:
            return False
        return True


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    office = Office()
    monkeypatch.setattr(app, "_dependencies", lambda: (office.admin, office.lookup))
    return office


def test_the_life_of_an_application(office: Office) -> None:
    status, created = office.call("POST", "/api/applications", {"name": "web"})
    assert (status, created["application"]["status"]) == (201, "active")
    names = [item["name"] for item in office.call("GET", "/api/applications")[1]["applications"]]
    assert names == ["operators", "shop", "web"]
    limits = {"requests_per_second": 5, "bytes_per_day": 2**40}
    status, changed = office.call("PATCH", APPLICATION, {"name": "web-eu", "limits": limits}, name="web")
    assert (status, changed["application"]["limits"]) == (200, limits | {"bytes_per_second": None})
    assert office.call("GET", APPLICATION, name="web")[0] == 404
    _, shown = office.call("PATCH", APPLICATION, {"limits": {"bytes_per_day": None}}, name="web-eu")
    assert shown["application"]["limits"] == {"requests_per_second": 5, "bytes_per_second": None, "bytes_per_day": None}
    assert office.call("GET", APPLICATION, name="web-eu")[1] == shown


def test_a_disabled_application_is_refused_until_it_is_enabled(office: Office) -> None:
    key = office.new_key("shop", "ingest")
    assert office.opens(key)
    office.call("PATCH", APPLICATION, {"status": "disabled"}, name="shop")
    office.clock.advance(15)
    assert not office.opens(key)
    office.call("PATCH", APPLICATION, {"status": "active"}, name="shop")
    office.clock.advance(15)
    assert office.opens(key)


def test_a_key_is_shown_once_and_by_no_cache(office: Office) -> None:
    wanted = {"scopes": ["read", "ingest"], "expires_at": "2030-01-01T00:00:00Z", "description": "web-1"}
    status, created = office.call("POST", KEYS, wanted, name="shop")
    assert (status, office.headers["Cache-Control"]) == (201, "no-store")
    parts = read_key(created.pop("key"), PEPPER)
    assert parts
    assert (created["key_id"], created["description"], created["scopes"]) == (parts.key_id, "web-1", ["ingest", "read"])
    assert office.call("GET", KEYS, name="shop")[1] == {"keys": [created]}
    assert office.call("POST", KEYS, name="shop")[1]["scopes"] == ["ingest"]


def test_rotation_overlaps(office: Office) -> None:
    old = office.new_key("shop", "ingest")
    old_id = old.split("_")[1]
    status, new = office.call("POST", ROTATE, {"overlap_seconds": 3600}, key_id=old_id)
    assert (status, new["scopes"], office.headers["Cache-Control"]) == (201, ["ingest"], "no-store")
    assert office.opens(old)
    assert office.opens(new["key"])
    office.clock.advance(3599)
    assert office.opens(old)
    office.clock.advance(1)
    assert not office.opens(old)
    assert office.opens(new["key"])
    assert office.call("POST", ROTATE, key_id=old_id)[1]["code"] == "key_rotated"
    _, later = office.call("POST", ROTATE, key_id=new["key_id"])
    office.clock.advance(86_399)
    assert office.opens(new["key"])
    office.clock.advance(1)
    assert not office.opens(new["key"])
    assert office.opens(later["key"])


def test_a_successor_lives_as_long_as_the_old_key_was_given(office: Office) -> None:
    in_a_week = (NOON + timedelta(days=7)).isoformat()
    _, old = office.call("POST", KEYS, {"expires_at": in_a_week}, name="shop")
    office.clock.advance(6 * 86_400)
    _, new = office.call("POST", ROTATE, {"overlap_seconds": 0}, key_id=old["key_id"])
    assert new["expires_at"] == (NOON + timedelta(days=13)).isoformat()
    assert not office.opens(old["key"])


def test_revoking_twice_is_revoking(office: Office) -> None:
    key_id = office.new_key("shop", "ingest").split("_")[1]
    status, first = office.call("DELETE", KEY, key_id=key_id)
    office.clock.advance(60)
    assert (status, first["status"]) == (200, "revoked")
    assert office.call("DELETE", KEY, key_id=key_id) == (200, first)
    assert office.call("POST", ROTATE, key_id=key_id)[1]["code"] == "key_revoked"


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (("POST", "/api/applications", {"name": "shop"}), 409, "application_exists"),
        (("POST", "/api/applications", {"name": "Shop"}), 400, "invalid_name"),
        (("POST", "/api/applications", {"name": "web", "limits": {}}), 400, "unknown_field"),
        (("POST", "/api/applications", b"{"), 400, "invalid_json"),
        (("POST", "/api/applications", []), 400, "invalid_json"),
        (("POST", "/api/applications", b'{"a": [' + b"[]," * 50_000 + b"[]]}"), 400, "invalid_json"),
        (("PATCH", APPLICATION, {}), 400, "empty_change"),
        (("PATCH", APPLICATION, {"limits": {}}), 400, "empty_change"),
        (("PATCH", APPLICATION, {"state": "disabled"}), 400, "unknown_field"),
        (("PATCH", APPLICATION, {"status": "off"}), 400, "invalid_status"),
        (("PATCH", APPLICATION, {"status": ["active"]}), 400, "invalid_status"),
        (("PATCH", APPLICATION, {"name": "operators"}), 409, "application_exists"),
        (("PATCH", APPLICATION, {"limits": None}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"requests": 1}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"bytes_per_day": 0}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"bytes_per_day": True}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"bytes_per_day": 1.0}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"bytes_per_day": 10**15}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"bytes_per_second": 10**12}}), 400, "invalid_limits"),
        (("PATCH", APPLICATION, {"limits": {"requests_per_second": 2**31}}), 400, "invalid_limits"),
        (("POST", KEYS, {"scopes": []}), 400, "invalid_scopes"),
        (("POST", KEYS, {"scope": ["admin"]}), 400, "unknown_field"),
        (("POST", KEYS, {"expires_at": "2001-01-01"}), 400, "invalid_expires_at"),
        (("POST", KEYS, {"description": "x" * 201}), 400, "invalid_description"),
        (("POST", KEYS, {"description": "two\nlines"}), 400, "invalid_description"),
        (("POST", KEYS, {"description": ""}), 400, "invalid_description"),
        (("POST", ROTATE, {"overlap_seconds": -1}), 400, "invalid_overlap_seconds"),
        (("POST", ROTATE, {"overlap_seconds": 10**9}), 400, "invalid_overlap_seconds"),
        (("POST", ROTATE, {"overlap_seconds": "1"}), 400, "invalid_overlap_seconds"),
        (("POST", ROTATE, {"overlap": 1}), 400, "unknown_field"),
        (("POST", ROTATE, {}), 404, "unknown_key"),
        (("DELETE", KEY, None), 404, "unknown_key"),
    ],
)
def test_refusals(office: Office, call: tuple[str, str, Any], status: int, code: str) -> None:
    names = {"name": "shop"} if "{name}" in call[1] else {"key_id": "nobody"} if "{key_id}" in call[1] else {}
    answered, problem = office.call(*call, **names)
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert office.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", [APPLICATION, KEYS])
@pytest.mark.parametrize(("name", "status"), [("nobody", 404), ("a\x00", 400), ("x" * 9_000, 404), ("{name}", 404)])
def test_an_application_that_is_none(office: Office, path: str, name: str, status: int) -> None:
    assert office.call("GET", path, name=name)[0] == status


ROUTES = [
    *(("GET", "/api/applications"), ("POST", "/api/applications"), ("GET", APPLICATION), ("PATCH", APPLICATION)),
    *(("GET", KEYS), ("POST", KEYS), ("DELETE", KEY), ("POST", ROTATE)),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_is_for_administrators(office: Office, method: str, path: str) -> None:
    names = {"name": "shop", "key_id": "x"}
    status, problem = office.call(method, path, headers={}, **names)
    assert (status, problem["code"]) == (401, "missing_key")
    assert office.headers["WWW-Authenticate"].startswith("Bearer realm=")
    for scope in ("ingest", "read"):
        key = office.new_key("shop", scope)
        status, problem = office.call(method, path, headers={"Authorization": f"Bearer {key}"}, **names)
        assert (status, problem["code"]) == (403, "missing_scope")
        assert "WWW-Authenticate" not in office.headers


def test_no_key_gets_into_a_log(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [office.key, office.new_key("shop", "read"), "slc_wrong_madeup_here"]
    for text in texts:
        for headers in ({"X-API-Key": text}, {"Authorization": f"Splunk {text}"}):
            office.call("GET", "/api/applications", headers=headers)
        _, problem = office.call("DELETE", KEY, key_id=text)
        assert text not in json.dumps(problem)
    created = office.call("POST", KEYS, name="shop")[1]["key"]
    printed = capsys.readouterr()
    assert '"errors_by":{"admin/missing_scope":1}' in printed.out.replace(" ", "")
    assert not [text for text in (*texts, created) if text.split("_")[2] in printed.out + printed.err]


def test_functions_newer_than_the_schema_ask_to_come_back(office: Office) -> None:
    """A client gives up on a 500; during a deployment it must not."""

    class OldSchema:
        def find_key(self, key_id: str) -> KeyRecord | None:
            raise ContractError("database_contract", "42883: function look_up_key(unknown) does not exist")

    office.lookup = KeyLookup(OldSchema(), None, PEPPER, office.clock)
    status, problem = office.call("GET", "/api/applications")
    assert (status, problem["code"]) == (503, "database_contract")
    assert int(office.headers["Retry-After"]) > 0
    assert "look_up_key" not in json.dumps(problem)


def test_a_session_administers_from_our_own_page_only(office: Office) -> None:
    key, session = office.lookup.open_session(office.key)
    cookie = {"Cookie": f"theme=dark; sluice_session={sign_session(session, PEPPER)}"}
    assert office.call("GET", "/api/applications", headers=cookie)[0] == 200
    status, problem = office.call("POST", "/api/applications", {"name": "web"}, headers=cookie)
    assert (status, problem["code"]) == (403, "cross_site_request")
    page = cookie | {"X-Sluice-Page": "1"}
    assert office.call("POST", "/api/applications", {"name": "web"}, headers=page)[0] == 201
    office.register.revoke_key(key.key_id)
    office.clock.advance(13)
    status, problem = office.call("GET", "/api/applications", headers=cookie)
    assert (status, problem["code"]) == (401, "invalid_session")


@pytest.mark.parametrize("phases", [[], ["before"], "pre", ["pre", 1], {}])
def test_phases_of_migrations_are_named(phases: Any) -> None:
    admin = app.Admin(None, None, None, PEPPER, None, None, None)
    with pytest.raises(RejectedInput, match="invalid_phases"):
        admin.run({"action": "migrate", "phases": phases})
