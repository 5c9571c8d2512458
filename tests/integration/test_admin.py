"""functions/admin on a real database."""

from collections.abc import Callable
from typing import Any

import pytest

from apps import load_app
from fakes import ManualClock
from samples import PEPPER
from scratch import Scratch
from sluice.applications.keys import read_key
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.errors import RejectedInput
from sluice.runtime.http import jsonable
from sluice.runtime.postgres import Database
from sluice.schema.postgres import SchemaOwner
from sluice.templates.postgres_edits import PostgresTemplateEdits

app = load_app("admin")


@pytest.fixture(scope="module")
def database(empty_database: Callable[[], Scratch]) -> Scratch:
    return empty_database()


@pytest.fixture(scope="module")
def admin(database: Scratch) -> Callable[..., Any]:
    """Runs actions as the handler does, on a database that its first action has migrated."""
    owner = Database(database.url("sluice_owner", direct=True))
    dead_letters = PostgresDeadLetters(owner)
    use_case = app.Admin(
        SchemaOwner(owner),
        PostgresApplications(owner),
        dead_letters,
        PEPPER,
        ManualClock(),
        PostgresTemplateEdits(owner),
    )

    def run(action: str, **members: Any) -> Any:
        return jsonable(use_case.run({"action": action, **members}))

    run("migrate")
    return run


def refusal(admin: Callable[..., Any], action: str, **members: Any) -> str:
    with pytest.raises(RejectedInput) as caught:
        admin(action, **members)
    return caught.value.code


def test_migrate_can_be_repeated(admin: Callable[..., Any]) -> None:
    again = admin("migrate")
    assert again["applied"] == []
    assert again["version"]
    assert admin("maintain") == {"partitions_created": []}


def test_an_application_and_its_keys(admin: Callable[..., Any], database: Scratch) -> None:
    created = admin("create_application", name="shop")["application"]
    assert created["name"] == "shop"
    assert created["status"] == "active"
    key = admin("create_key", application="shop", scopes=["read", "ingest"], expires_at="2030-01-01T00:00:00Z")
    parts = read_key(key["key"], PEPPER)
    assert parts
    assert parts.key_id == key["key_id"]
    assert admin("create_key", application="shop")["scopes"] == ["ingest"]
    (listed,) = [item for item in admin("list_applications")["applications"] if item["name"] == "shop"]
    assert listed["key_count"] == 2
    keys = admin("list_keys", application="shop")["keys"]
    assert {item["key_id"] for item in keys} >= {key["key_id"]}
    assert not any("secret" in name or name == "key" for item in keys for name in item)
    store = PostgresKeyStore(Database(database.url("sluice_ingest")))
    assert store.find_key(key["key_id"])
    revoked = admin("revoke_key", key_id=key["key_id"])
    assert (revoked["key_id"], revoked["status"]) == (key["key_id"], "revoked")
    assert admin("revoke_key", key_id=key["key_id"]) == revoked
    assert store.find_key(key["key_id"]) is None


def test_the_database_holds_no_key_in_clear(admin: Callable[..., Any], database: Scratch) -> None:
    admin("create_application", name="secretive")
    key = admin("create_key", application="secretive")["key"]
    secret = key.split("_")[2]
    ((dump,),) = database.rows("SELECT string_agg(api_keys::text, ' ') FROM api_keys")
    assert secret not in dump
    assert secret.encode().hex() not in dump


@pytest.mark.parametrize("name", ["", "UPPER", "-x", "x-", "a b", "x" * 64, "é", "a\x00", 5, None, ["a"], "a\n"])
def test_names_that_are_none(admin: Callable[..., Any], name: Any) -> None:
    assert refusal(admin, "create_application", name=name) == "invalid_name"


def test_refusals(admin: Callable[..., Any]) -> None:
    admin("create_application", name="twice")
    assert refusal(admin, "create_application", name="twice") == "application_exists"
    assert refusal(admin, "create_key", application="nobody") == "unknown_application"
    assert refusal(admin, "list_keys", application="nobody") == "unknown_application"
    assert refusal(admin, "create_key", application="twice", scopes=[]) == "invalid_scopes"
    assert refusal(admin, "create_key", application="twice", scopes=["root"]) == "invalid_scopes"
    assert refusal(admin, "create_key", application="twice", scopes=[[]]) == "invalid_scopes"
    assert refusal(admin, "create_key", application="twice", expires_at="soon") == "invalid_expires_at"
    assert refusal(admin, "create_key", application="twice", expires_at="2001-01-01") == "invalid_expires_at"
    assert refusal(admin, "revoke_key", key_id="nobody") == "unknown_key"
    assert refusal(admin, "explode") == "unknown_action"
