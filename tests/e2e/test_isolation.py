"""Every path of the served OpenAPI document, tried with B's key for A's logs: a path that is not in the list fails.

Imports nothing of Sluice, so it runs against any deployment.
"""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

METHODS = ("get", "post", "put", "patch", "delete")
SENDING = {("post", path) for path in ("/api/ingest", "/v1/logs", "/otlp/v1/logs")}
# For administrators and monitors, who see all: another key is refused, whatever it asks for.
ADMINISTRATION = "administration"
FOR_OPERATORS = {("get", "/api/pipeline"), ("get", "/metrics")}
# What each reading path is asked for, by its parameters; {…} are facts of A.
FILTERED: tuple[dict[str, str], ...] = (
    {},
    {"q": "{secret}"},
    {"q": "app:{application} OR -nothing"},
    {"q": "service:{secret}"},
    {"text": "{secret}"},
    {"batch_id": "{batch}"},
    {"trace_id": "{secret}"},
    {"session_id": "{secret}"},
    {"metadata.owner": "{secret}"},
    {"template": "{template}"},
    {"q": "template:{template}"},
)
READING: dict[tuple[str, str], tuple[dict[str, str], ...]] = {
    ("get", "/api/logs"): (*FILTERED, {"format": "ndjson"}, {"format": "csv"}, {"fields": "message,service"}),
    ("get", "/api/logs/{id}"): ({}, {"before": "200", "after": "200"}),
    ("get", "/api/histogram"): tuple({"by": "application", **asked} for asked in FILTERED),
    ("get", "/api/facets"): tuple(
        {"field": field} for field in ("application", "service", "trace_id", "session_id", "metadata.owner")
    ),
    ("get", "/api/stats"): FILTERED,
    ("get", "/api/tail"): tuple({"cursor": "{cursor}", "wait": "0", **asked} for asked in FILTERED),
    ("get", "/api/templates"): ({}, {"application": ""}, {"ignored": "yes"}),
    ("get", "/api/templates/{id}"): ({},),
    ("get", "/api/batches/{id}"): ({},),
    ("get", "/api/usage"): ({},),
    ("get", "/api/ledger"): ({},),
    ("get", "/api/session"): ({},),
}

# What A makes there, with a secret in it; what has an id is asked for by that.
MADE: dict[str, dict[str, Any]] = {
    "/api/rules": {"name": "{secret}", "query": "level:>=error", "window_seconds": 300, "above": 10},
    "/api/channels": {"name": "{secret}", "kind": "webhook", "target": "https://hooks.example.com/sluice"},
    "/api/silences": {
        "matchers": [{"label": "service", "is": "=", "value": "payments"}],
        "ends_at": "2030-01-01T00:00:00Z",
        "comment": "{secret}",
    },
    "/api/maintenance-windows": {
        "weekly": {"weekdays": ["sunday"], "start": "22:00", "duration_minutes": 240, "time_zone": "Europe/Berlin"},
        "comment": "{secret}",
    },
}
# Found by the platform, not made by anybody: in these A's application must not be named to B.
FOUND = (
    "/api/incidents",
    "/api/deliveries",
    "/api/anomalies",
    "/api/diff",
    "/api/anomalies/backtest",
    "/api/rules/test",
)


class Tenant:
    """An application's key, and a session that signed in with it."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.headers = url, {"X-API-Key": key}
        self.page = requests.Session()
        signed_in = self.page.post(f"{url}/api/session", json={"key": key}, headers={"X-Sluice-Page": "1"}, timeout=30)
        self.application = signed_in.json()["application"]
        # The cookie is for the deployment's own path, and Secure where the address is not loopback's.
        self.cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}

    def ask(self, method: str, path: str, *, by_cookie: bool = False, **query: str) -> requests.Response:
        headers = self.cookie if by_cookie else self.headers
        return requests.request(method, self.url + path, params=query, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def a(url: str, key: str) -> Tenant:
    return Tenant(url, key)


@pytest.fixture(scope="module")
def b(url: str, other_key: str) -> Tenant:
    return Tenant(url, other_key)


@pytest.fixture(scope="module")
def facts(a: Tenant) -> dict[str, str]:
    """A's log, stored after ``cursor``."""
    secret = f"secret{secrets.token_hex(6)}"
    cursor = a.ask("get", "/api/tail").json()["cursor"]
    named = dict.fromkeys(("service", "trace_id", "session_id"), secret)
    log: dict[str, Any] = {"message": f"a {secret} of A", "metadata": {"owner": secret}, **named}
    sent = requests.post(f"{a.url}/api/ingest", json=log, headers=a.headers, timeout=30).json()
    deadline = time.monotonic() + 80
    while not a.ask("get", "/api/logs", batch_id=sent["batch_id"]).json()["logs"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (stored,) = a.ask("get", "/api/logs", batch_id=sent["batch_id"]).json()["logs"]
    facts = {"secret": secret, "application": a.application, "batch": sent["batch_id"], "cursor": cursor}
    return facts | {"template": str(stored["template_id"])}


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    served: dict[str, Any] = requests.get(f"{url}/openapi.json", timeout=30).json()
    return served


def operations(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What takes a key or a session, by method and path."""
    return {
        (method, path): item[method]
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and item[method]["security"]
    }


def test_every_path_is_in_the_list(document: dict[str, Any]) -> None:
    found = operations(document)
    administration = {place for place, item in found.items() if ADMINISTRATION in item["tags"]}
    alerting = {(method, path) for method, path in found if path.startswith((*MADE, *FOUND))}
    assert found.keys() == SENDING | FOR_OPERATORS | READING.keys() | administration | alerting


def test_what_is_for_operators_is_refused(document: dict[str, Any], b: Tenant, a: Tenant) -> None:
    for (method, path), item in operations(document).items():
        if ADMINISTRATION in item["tags"] or (method, path) in FOR_OPERATORS:
            filled = path.format(name=a.application, id=1, key_id="k")
            answer = b.ask(method, filled)
            assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope"), f"{method} {path}"


@pytest.mark.parametrize("place", READING, ids=" ".join)
def test_no_path_leads_to_anothers_logs(a: Tenant, b: Tenant, facts: dict[str, str], place: tuple[str, str]) -> None:
    method, path = place
    filled = path.format(id=facts["template"] if "templates" in path else f"{facts['batch']}-0")
    shown_to_a = 0
    for parameters in READING[place]:
        asked = {name: value.format(**facts) for name, value in parameters.items()}
        sought = {facts["secret"], facts["application"], facts["batch"]} - set(asked.values())
        by_cookie = path == "/api/session"
        for is_page in (by_cookie, True):
            answer = b.ask(method, filled, by_cookie=is_page, **asked)
            assert answer.status_code in (200, 404), f"{asked}: {answer.text}"
            told = answer.text if answer.status_code == 200 else ""
            assert not [fact for fact in sought if fact in told], asked
        shown = a.ask(method, filled, by_cookie=by_cookie, **asked).text
        shown_to_a += any(fact in shown for fact in sought)
    assert shown_to_a, "A sees it there: otherwise this proves nothing"


def test_no_path_leads_to_anothers_alerting(document: dict[str, Any], url: str, make_key: Callable[..., str]) -> None:
    a, b = Tenant(url, make_key("read", "alerts")), Tenant(url, make_key("read", "alerts"))
    secret = f"secret{secrets.token_hex(6)}"
    for path, members in MADE.items():
        body = json.loads(json.dumps(members).replace("{secret}", secret))
        made = requests.post(url + path, json=body, headers=a.headers, timeout=30)
        assert made.status_code == 201, made.text
        (found,) = (one for one in made.json().values() if isinstance(one, dict))
        assert secret in a.ask("get", path).text
        assert secret not in b.ask("get", path).text
        for method, named in operations(document):
            if named.startswith(f"{path}/{{id}}"):
                answer = requests.request(
                    method, url + named.format(id=found["id"]), json={"enabled": False}, headers=b.headers, timeout=30
                )
                assert answer.status_code == 404, f"{method} {named}: {answer.status_code} {answer.text}"
                assert secret not in answer.text
        assert secret in a.ask("get", path).text, "B changed nothing"
    for path in FOUND:
        answer = b.ask("get", path, application=a.application)
        assert answer.status_code >= 400 or a.application not in answer.text, answer.text


def test_names_of_others_are_as_unknown_as_those_of_nobody(b: Tenant, a: Tenant) -> None:
    for _, path in (place for place in READING if place[1] in ("/api/logs", "/api/stats", "/api/tail")):
        for name in (a.application, "nobody"):
            assert b.ask("get", path, application=name).json()["code"] == "unknown_application"
