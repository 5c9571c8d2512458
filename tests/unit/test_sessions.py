"""Sessions: the signed cookie, and what a request that carries it may do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from chalice.app import CaseInsensitiveMapping
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON, ManualClock, MemoryKeyCache, MemoryKeyStore
from samples import PEPPER
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.sessions import (
    Session,
    ended_cookie,
    new_session,
    read_cookie,
    read_session,
    session_cookie,
    sign_session,
)
from sluice.errors import Denied, Unavailable

SESSION = Session("abcdefghij234567", NOON + timedelta(hours=12))
TOKEN = sign_session(SESSION, PEPPER)


class Visitor:
    """Somebody signed in with a key, and the lookup that lets them in."""

    def __init__(self) -> None:
        self.text, key = mint_key(PEPPER)
        secret_hash = hash_secret(key.secret, PEPPER)
        self.key = KeyRecord(key.key_id, secret_hash, 7, "shop", 1, frozenset([Scope.READ, Scope.ADMIN]), None)
        self.store, self.cache = MemoryKeyStore({key.key_id: self.key}), MemoryKeyCache()
        self.clock = ManualClock()
        self.lookup = KeyLookup(self.store, self.cache, PEPPER, self.clock)
        _, session = self.lookup.open_session(self.text)
        self.token = sign_session(session, PEPPER)

    def enter(self, method: str = "GET", scope: Scope = Scope.READ, **headers: str) -> KeyRecord:
        named = {"cookie": f"sluice_session={self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.lookup.admit(method, CaseInsensitiveMapping(named), scope)

    def refusal(self, method: str = "GET", scope: Scope = Scope.READ, **headers: str) -> tuple[str, int]:
        with pytest.raises(Denied) as caught:
            self.enter(method, scope, **headers)
        return caught.value.code, caught.value.status


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def test_a_token_says_who_signed_in_and_until_when() -> None:
    assert read_session(TOKEN, PEPPER, NOON) == SESSION
    assert read_session(TOKEN, PEPPER, SESSION.expires_at - timedelta(seconds=1)) == SESSION


def test_a_token_ends() -> None:
    assert read_session(TOKEN, PEPPER, SESSION.expires_at) is None


def test_a_token_of_another_deployment() -> None:
    assert read_session(TOKEN, bytes(32), NOON) is None


@pytest.mark.parametrize("position", range(len(TOKEN)))
def test_no_character_can_be_changed(position: int) -> None:
    other = "0" if TOKEN[position] != "0" else "1"
    assert read_session(TOKEN[:position] + other + TOKEN[position + 1 :], PEPPER, NOON) is None


@pytest.mark.parametrize("garbage", ["", ".", "..", TOKEN + "0", TOKEN.upper(), "ä" + TOKEN, "x" * 9_000, TOKEN[:-64]])
def test_garbage_is_no_token(garbage: str) -> None:
    assert read_session(garbage, PEPPER, NOON) is None


@given(st.text(), st.text(max_size=80))
def test_no_text_raises(token: str, cookie: str) -> None:
    assert read_session(token, PEPPER, NOON) is None
    assert read_cookie({"cookie": cookie}) is None or "sluice_session=" in cookie


def test_what_signs_a_session_signs_nothing_else() -> None:
    claim, _, signature = TOKEN.rpartition(".")
    assert hash_secret(claim, PEPPER).hex() != signature


def test_a_session_lasts_no_longer_than_its_key() -> None:
    assert new_session("k", None, NOON).expires_at == NOON + timedelta(hours=12)
    assert new_session("k", NOON + timedelta(hours=1, microseconds=5), NOON).expires_at == NOON + timedelta(hours=1)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    cookie = session_cookie(SESSION, PEPPER, NOON, path="/prod/", is_secure=True)
    assert cookie == f"sluice_session={TOKEN}; Path=/prod/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
    assert ended_cookie(path="/", is_secure=False) == "sluice_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("sluice_session=a.1.b", "a.1.b"),
        ("theme=dark; sluice_session=a; sluice_session=b", "a"),
        ("theme=dark;sluice_session=a", "a"),
        ("sluice_session=", None),
        ("not_sluice_session=a", None),
        ("sluice_session", None),
        ("", None),
    ],
)
def test_the_cookie_among_others(header: str, token: str | None) -> None:
    assert read_cookie({"cookie": header}) == token


def test_a_session_reads_what_its_key_may_read(visitor: Visitor) -> None:
    assert visitor.enter() == visitor.key


def test_a_key_in_the_headers_comes_first(visitor: Visitor) -> None:
    assert visitor.refusal(x_api_key="slc_wrong") == ("invalid_key", 401)


def test_the_key_is_not_in_the_token(visitor: Visitor) -> None:
    assert visitor.text.split("_")[2] not in visitor.token


def test_nobody_is_signed_in(visitor: Visitor) -> None:
    assert visitor.refusal(cookie="theme=dark") == ("missing_key", 401)
    with pytest.raises(Denied) as caught:
        visitor.lookup.session({})
    assert caught.value.code == "missing_session"


def test_a_session_has_its_keys_scopes(visitor: Visitor) -> None:
    visitor.store.keys[visitor.key.key_id] = replace(visitor.key, scopes=frozenset([Scope.READ]))
    visitor.cache.clear()
    visitor.clock.advance(6)
    assert visitor.enter().scopes == {Scope.READ}
    assert visitor.refusal(scope=Scope.ADMIN) == ("missing_scope", 403)


def test_no_session_for_a_key_that_only_sends(visitor: Visitor) -> None:
    visitor.store.keys[visitor.key.key_id] = replace(visitor.key, scopes=frozenset([Scope.INGEST]))
    visitor.cache.clear()
    visitor.clock.advance(6)
    with pytest.raises(Denied) as caught:
        visitor.lookup.open_session(visitor.text)
    assert (caught.value.code, caught.value.status) == ("missing_scope", 403)


@pytest.mark.parametrize("end", [lambda v: v.store.keys.clear(), lambda v: v.store.keys.update({v.key.key_id: None})])
def test_a_session_ends_within_fifteen_seconds_of_its_key(visitor: Visitor, end: Callable[[Visitor], None]) -> None:
    visitor.enter()
    end(visitor)
    visitor.clock.advance(8)
    visitor.cache.clear()  # its lifetime is 8 s
    visitor.clock.advance(5)
    assert visitor.refusal() == ("invalid_session", 401)


def test_a_session_ends_with_its_keys_expiry(visitor: Visitor) -> None:
    """Also one that was given later, as a rotation does."""
    visitor.store.keys[visitor.key.key_id] = replace(visitor.key, expires_at=NOON + timedelta(seconds=7))
    visitor.cache.clear()
    visitor.clock.advance(6)
    visitor.enter()
    visitor.clock.advance(1)
    assert visitor.refusal() == ("invalid_session", 401)


def test_a_session_ends_after_twelve_hours(visitor: Visitor) -> None:
    visitor.clock.advance(12 * 3_600 - 1)
    visitor.enter()
    visitor.clock.advance(1)
    assert visitor.refusal() == ("invalid_session", 401)


def test_a_forged_session_costs_no_look_up(visitor: Visitor) -> None:
    asked = visitor.store.asked
    assert visitor.refusal(cookie=f"sluice_session={visitor.key.key_id}.9999999999.{'0' * 64}") == (
        "invalid_session",
        401,
    )
    assert visitor.store.asked == asked


def test_a_session_waits_for_the_database_when_its_key_is_not_remembered(visitor: Visitor) -> None:
    visitor.store.is_down = True
    visitor.clock.advance(601)
    visitor.cache.clear()
    with pytest.raises(Unavailable):
        visitor.enter()


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_change_by_cookie_needs_our_own_page(visitor: Visitor, method: str) -> None:
    assert visitor.refusal(method) == ("cross_site_request", 403)
    assert visitor.refusal(method, x_sluice_page="0") == ("cross_site_request", 403)
    assert visitor.enter(method, X_Sluice_Page="1") == visitor.key
    assert visitor.refusal(method, x_sluice_page="1", sec_fetch_site="cross-site") == ("cross_site_request", 403)


def test_a_change_by_headers_needs_no_page(visitor: Visitor) -> None:
    assert visitor.enter("POST", x_api_key=visitor.text) == visitor.key
    assert visitor.enter("POST", x_api_key=visitor.text, sec_fetch_site="same-origin") == visitor.key


def test_a_password_that_the_browser_remembers_changes_nothing_for_another_site(visitor: Visitor) -> None:
    refusal = visitor.refusal("POST", authorization=f"Bearer {visitor.text}", sec_fetch_site="cross-site")
    assert refusal == ("cross_site_request", 403)
