"""functions/admin on a real database."""

import secrets
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
from sluice.retention.postgres import PostgresRetention
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
        PostgresRetention(owner),
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


@pytest.fixture
def shop(admin: Callable[..., Any]) -> str:
    name = f"shop-{secrets.token_hex(4)}"
    admin("create_application", name=name)
    return name


def test_retention_classes(admin: Callable[..., Any], database: Scratch) -> None:
    created = admin("create_retention_class", name="long", hot_days=90, archive_days=730)["retention_class"]
    assert created == {
        "name": "long",
        "hot_days": 90,
        "is_archived": True,
        "archive_days": 730,
        "application_count": 0,
    }
    changed = admin("change_retention_class", name="long", hot_days=60, archive_days=None)["retention_class"]
    assert changed == created | {"hot_days": 60, "archive_days": None}
    assert [item["name"] for item in admin("list_retention_classes")["retention_classes"]] == ["long", "standard"]
    with pytest.raises(RejectedInput, match="retention_class_exists"):
        admin("create_retention_class", name="long", hot_days=1)
    ((number,),) = database.rows("SELECT retention_class FROM retention_classes WHERE name = 'long'")
    assert (
        f"log_entries_{number}_"
        in database.rows(
            "SELECT relid::regclass::text FROM pg_partition_tree(%s) WHERE isleaf", f"log_entries_{number}"
        )[0][0]
    )


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"name": "Long", "hot_days": 1}, "invalid_name"),
        ({"name": "new"}, "invalid_hot_days"),
        ({"name": "new", "hot_days": 0}, "invalid_hot_days"),
        ({"name": "new", "hot_days": True}, "invalid_hot_days"),
        ({"name": "new", "hot_days": 5, "archive_days": 5}, "invalid_archive_days"),
        ({"name": "new", "hot_days": 5, "is_archived": 1}, "invalid_is_archived"),
        ({"name": "new", "hot_days": 5, "days": 1}, "unknown_field"),
    ],
    ids=str,
)
def test_a_class_that_cannot_be(admin: Callable[..., Any], members: dict[str, Any], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        admin("create_retention_class", **members)
    assert caught.value.code == code


def test_classes_are_few(admin: Callable[..., Any], database: Scratch) -> None:
    """Each has partitions of its own, which every query has to plan for."""
    database.rows(
        "INSERT INTO retention_classes SELECT number, 'class-' || number, 1 FROM generate_series(100, 118) AS number"
    )
    try:
        with pytest.raises(RejectedInput, match="too_many_retention_classes"):
            admin("create_retention_class", name="one-more", hot_days=1)
    finally:
        database.rows("DELETE FROM retention_classes WHERE name LIKE 'class-%%'")


def test_retention_of_an_application(admin: Callable[..., Any], shop: str) -> None:
    name = f"short-{shop[-4:]}"
    admin("create_retention_class", name=name, hot_days=2, is_archived=False)
    assert admin("show_retention", application=shop)["retention"]["retention_class"] == "standard"
    kept = admin("change_retention", application=shop, levels={"DEBUG": name, "info": name})["retention"]
    assert kept == {"application": shop, "retention_class": "standard", "levels": {"DEBUG": name, "INFO": name}}
    kept = admin("change_retention", application=shop, retention_class=name, levels={"DEBUG": None})["retention"]
    assert kept == {"application": shop, "retention_class": name, "levels": {"INFO": name}}
    assert admin("show_application", application=shop)["application"]["retention_class"] == name


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"levels": {"LOUD": "standard"}}, "invalid_levels"),
        ({"levels": {"INFO": 1}}, "invalid_levels"),
        ({"levels": {"INFO": "nowhere"}}, "unknown_retention_class"),
        ({"retention_class": "nowhere"}, "unknown_retention_class"),
        ({"retention_class": "standard", "level": "INFO"}, "unknown_field"),
    ],
    ids=str,
)
def test_retention_that_cannot_be(admin: Callable[..., Any], shop: str, change: dict[str, Any], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        admin("change_retention", application=shop, **change)
    assert caught.value.code == code
