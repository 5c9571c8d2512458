"""One contract for the register of applications and keys: the in-memory fake and Postgres."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes import MemoryRegister
from samples import PEPPER
from sluice.applications.keys import mint_key
from sluice.applications.model import ApplicationChange, Limits, Status
from sluice.applications.ports import KeyStore, Register
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database

pytestmark = pytest.mark.parametrize("kind", ["memory", "postgres"])
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


class Book:
    """A register, the store that the other functions read it by, and an application in it."""

    def __init__(self, register: Register, store: KeyStore) -> None:
        self.register, self.store = register, store
        self.name = f"app-{secrets.token_hex(6)}"
        register.create(self.name)

    def add_key(self, expires_at: datetime | None = None) -> dict[str, Any]:
        return self.register.add_key(
            self.name,
            key_id=secrets.token_hex(8),
            secret_hash=b"h" * 32,
            scopes=["ingest", "read"],
            expires_at=expires_at,
            description="web-1",
        )

    def rotate(self, key_id: str, overlap: timedelta = DAY) -> dict[str, Any]:
        new_id = secrets.token_hex(8)
        return self.register.rotate_key(key_id, key_id=new_id, secret_hash=b"n" * 32, overlap=overlap, now=now())

    def key(self, key_id: str) -> dict[str, Any]:
        (found,) = [key for key in self.register.keys(self.name) if key["key_id"] == key_id]
        return found


@pytest.fixture
def book(kind: str, request: pytest.FixtureRequest) -> Book:
    if kind == "memory":
        memory = MemoryRegister(now)
        return Book(memory, memory)
    scratch = request.getfixturevalue("scratch")
    owner = Database(scratch.url("sluice_owner", direct=True))
    return Book(PostgresApplications(owner), PostgresKeyStore(Database(scratch.url("sluice_ingest"))))


def refusal(act: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(RejectedInput) as caught:
        act()
    return caught.value.code, caught.value.status


def test_an_application(book: Book) -> None:
    found = book.register.find(book.name)
    assert now() - found.pop("created_at") < timedelta(minutes=1)
    assert found.pop("application_id") > 0
    limits = {"requests_per_second": None, "bytes_per_second": None, "bytes_per_day": None}
    state = {"status": "active", "retention_class": "standard", "key_count": 0}
    assert found == {"name": book.name, "limits": limits, **state}
    assert book.register.find(book.name) in book.register.all()
    names = [item["name"] for item in book.register.all()]
    assert names == sorted(names)


def test_what_is_not_named_stays(book: Book) -> None:
    book.register.change(book.name, ApplicationChange(limits={"requests_per_second": 5, "bytes_per_day": 2**40}))
    book.register.change(book.name, ApplicationChange(limits={"requests_per_second": None, "bytes_per_second": 7}))
    changed = book.register.change(book.name, ApplicationChange(status=Status.DISABLED))
    limits = {"requests_per_second": None, "bytes_per_second": 7, "bytes_per_day": 2**40}
    assert (changed["status"], changed["limits"]) == ("disabled", limits)
    key_id = book.add_key()["key_id"]
    assert book.store.find_key(key_id) is None
    book.register.change(book.name, ApplicationChange(status=Status.ACTIVE))
    found = book.store.find_key(key_id)
    assert found
    assert found.limits == Limits(None, 7, 2**40)


def test_a_new_name(book: Book) -> None:
    key_id, new_name = book.add_key()["key_id"], f"{book.name}-new"
    before = book.register.find(book.name)
    assert book.register.change(book.name, ApplicationChange(name=new_name)) == before | {"name": new_name}
    assert refusal(lambda: book.register.find(book.name)) == ("unknown_application", 404)
    assert book.register.change(new_name, ApplicationChange(name=new_name))["name"] == new_name
    book.register.create(book.name)
    change = ApplicationChange(name=new_name, status=Status.DISABLED)
    assert refusal(lambda: book.register.change(book.name, change)) == ("application_exists", 409)
    assert book.register.find(book.name)["status"] == "active"
    book.name = new_name
    assert book.key(key_id)["application"] == new_name


def test_a_key(book: Book) -> None:
    expires_at = now() + DAY
    created = book.add_key(expires_at)
    assert book.register.keys(book.name) == [created]
    never = {"revoked_at": None, "rotated_to": None, "last_used_at": None}
    given = {"description": "web-1", "scopes": ["ingest", "read"], "expires_at": expires_at}
    assert created == created | never | given | {"application": book.name, "status": "active"}
    assert "secret_hash" not in created
    second = book.add_key()
    assert [key["key_id"] for key in book.register.keys(book.name)] == [second["key_id"], created["key_id"]]


def test_only_live_keys_count(book: Book) -> None:
    book.add_key()
    assert book.add_key(now() - DAY)["status"] == "expired"
    book.register.revoke_key(book.add_key()["key_id"])
    assert book.register.find(book.name)["key_count"] == 1


def test_revoking_twice_is_revoking(book: Book) -> None:
    key_id = book.add_key()["key_id"]
    assert book.store.find_key(key_id)
    first = book.register.revoke_key(key_id)
    assert (first["status"], first["key_id"]) == ("revoked", key_id)
    assert first["revoked_at"]
    assert book.register.revoke_key(key_id) == first
    assert book.store.find_key(key_id) is None


def test_rotation(book: Book) -> None:
    old = book.add_key()
    new = book.rotate(old["key_id"])
    assert {name: new[name] for name in ("application", "description", "scopes", "expires_at", "status")} == {
        "application": book.name,
        "description": "web-1",
        "scopes": ["ingest", "read"],
        "expires_at": None,
        "status": "active",
    }
    rotated = book.key(old["key_id"])
    assert (rotated["status"], rotated["rotated_to"]) == ("active", new["key_id"])
    assert timedelta() <= now() + DAY - rotated["expires_at"] < timedelta(minutes=1)
    found = book.store.find_key(old["key_id"])
    assert found
    assert found.expires_at == rotated["expires_at"]
    successor = book.store.find_key(new["key_id"])
    assert successor
    assert successor.secret_hash == b"n" * 32


def test_rotation_never_lengthens_a_life(book: Book) -> None:
    expires_at = now() + timedelta(hours=1)
    old = book.add_key(expires_at)
    new = book.rotate(old["key_id"])
    assert book.key(old["key_id"])["expires_at"] == expires_at
    assert timedelta(minutes=59) < new["expires_at"] - now() < timedelta(minutes=61)
    assert book.rotate(book.add_key(datetime.max.replace(tzinfo=UTC))["key_id"])["expires_at"].year == 9999


def test_a_key_has_one_successor(book: Book) -> None:
    key_id = book.add_key()["key_id"]
    new_id = book.rotate(key_id)["key_id"]
    assert refusal(lambda: book.rotate(key_id)) == ("key_rotated", 409)
    book.rotate(new_id)
    assert len(book.register.keys(book.name)) == 3
    revoked = book.add_key()["key_id"]
    book.register.revoke_key(revoked)
    assert refusal(lambda: book.rotate(revoked)) == ("key_revoked", 409)
    assert len(book.register.keys(book.name)) == 4


def test_a_key_in_the_wrong_place_is_not_repeated(book: Book) -> None:
    text, _ = mint_key(PEPPER)
    for act in (book.register.find, book.register.keys, book.register.revoke_key, book.rotate):
        with pytest.raises(RejectedInput) as caught:
            act(text)
        assert text not in str(caught.value)


def test_refusals(book: Book) -> None:
    unknown = ("unknown_application", 404)
    assert refusal(lambda: book.register.create(book.name)) == ("application_exists", 409)
    for act in (
        lambda: book.register.find("nobody"),
        lambda: book.register.keys("nobody"),
        lambda: book.register.change("nobody", ApplicationChange(status=Status.ACTIVE)),
        lambda: book.register.add_key("nobody", key_id="x", secret_hash=b"", scopes=["read"], expires_at=None),
    ):
        assert refusal(act) == unknown
    assert refusal(lambda: book.register.revoke_key("nobody")) == ("unknown_key", 404)
    assert refusal(lambda: book.rotate("nobody")) == ("unknown_key", 404)
