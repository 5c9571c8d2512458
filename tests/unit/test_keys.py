"""API keys and the way to their application."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from fakes import NOON, ManualClock, MemoryKeyCache, MemoryKeyStore
from samples import PEPPER
from sluice.applications.keys import hash_secret, mint_key, read_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.errors import ContractError, Denied, Unavailable


class Door:
    """A lookup with one good key."""

    def __init__(self) -> None:
        self.text, key = mint_key(PEPPER)
        self.record = KeyRecord(
            key.key_id, hash_secret(key.secret, PEPPER), 7, "shop", 1, frozenset([Scope.INGEST]), None
        )
        self.store = MemoryKeyStore({key.key_id: self.record})
        self.cache = MemoryKeyCache()
        self.clock = ManualClock()
        self.lookup = KeyLookup(self.store, self.cache, PEPPER, self.clock)

    def enter(self, text: str | None = None, scope: Scope = Scope.INGEST) -> KeyRecord:
        return self.lookup.authenticate(self.text if text is None else text, scope)

    def refusal(self, text: str | None = None, scope: Scope = Scope.INGEST) -> tuple[str, int]:
        with pytest.raises(Denied) as caught:
            self.enter(text, scope)
        return caught.value.code, caught.value.status


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_good_key_opens(door: Door) -> None:
    assert door.enter() == door.record


def test_the_second_request_asks_nobody(door: Door) -> None:
    door.enter()
    door.cache.clear()
    door.enter()
    assert door.store.asked == 1


def test_what_took_long_to_find_is_not_shared(door: Door) -> None:
    """It may have been revoked meanwhile: its time in the shared cache begins when it is put there."""
    find_key = door.store.find_key

    class SlowStore:
        def find_key(self, key_id: str) -> KeyRecord | None:
            found = find_key(key_id)
            door.clock.advance(1.5)
            return found

    KeyLookup(SlowStore(), door.cache, PEPPER, door.clock).authenticate(door.text, Scope.INGEST)
    assert door.cache.fetch_key(door.record.key_id) is None


@pytest.mark.parametrize(
    "garble",
    [
        lambda text: "garbage",
        lambda text: "x" * 8_192,
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text.replace("slc", "sld"),
        lambda text: text + "_more",
        lambda text: text.upper(),
        lambda text: "slc_ä_ö_ü",
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_garbage_is_refused_without_a_look_up(door: Door, garble: Callable[[str], str], is_known: bool) -> None:
    if is_known:
        door.enter()
    assert door.refusal(garble(door.text)) == ("invalid_key", 401)
    assert door.store.asked == is_known


def test_a_missing_key(door: Door) -> None:
    assert door.refusal("") == ("missing_key", 401)


def test_a_key_of_another_deployment(door: Door) -> None:
    assert read_key(door.text, bytes(32)) is None


def test_a_wrong_secret_behind_a_right_id(door: Door) -> None:
    other, _ = mint_key(PEPPER)
    key_id = door.record.key_id
    door.store.keys[key_id] = replace(door.record, secret_hash=hash_secret("another", PEPPER))
    assert door.refusal() == ("invalid_key", 401)
    assert door.refusal(other) == ("invalid_key", 401)


def test_a_known_key_whose_secret_was_changed(door: Door) -> None:
    door.enter()
    door.enter()
    door.store.keys[door.record.key_id] = replace(door.record, secret_hash=hash_secret("another", PEPPER))
    door.cache.clear()
    door.clock.advance(5)
    assert [door.refusal(), door.refusal()] == [("invalid_key", 401)] * 2


def test_a_missing_scope(door: Door) -> None:
    assert door.refusal(scope=Scope.READ) == ("missing_scope", 403)


def test_an_expired_key_even_from_memory(door: Door) -> None:
    door.store.keys[door.record.key_id] = replace(door.record, expires_at=NOON + timedelta(seconds=2))
    door.enter()
    door.clock.advance(2)
    assert door.refusal() == ("invalid_key", 401)


def test_a_revoked_key_is_refused_within_fifteen_seconds(door: Door) -> None:
    door.enter()
    door.store.keys.clear()
    door.clock.advance(8)
    door.cache.clear()  # its lifetime is 8 s
    door.clock.advance(5)
    assert door.refusal() == ("invalid_key", 401)


def test_a_known_key_outlives_a_database_outage(door: Door) -> None:
    door.enter()
    door.cache.clear()
    door.store.is_down = True
    door.clock.advance(599)
    assert door.enter() == door.record
    door.clock.advance(2)
    with pytest.raises(Unavailable):
        door.enter()


def test_an_unknown_key_waits_for_the_database(door: Door) -> None:
    door.store.is_down = True
    with pytest.raises(Unavailable):
        door.enter()


def test_a_known_key_outlives_functions_that_are_newer_than_the_schema(door: Door) -> None:
    class NewerThanItsSchema(MemoryKeyStore):
        def find_key(self, key_id: str) -> KeyRecord | None:
            if self.is_down:
                raise ContractError("database_contract", "42883")
            return super().find_key(key_id)

    door.store = NewerThanItsSchema(door.store.keys)
    door.lookup = KeyLookup(door.store, None, PEPPER, door.clock)
    door.enter()
    door.store.is_down = True
    door.clock.advance(599)
    assert door.enter() == door.record
    door.clock.advance(2)
    with pytest.raises(ContractError):
        door.enter()
