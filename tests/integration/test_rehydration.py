"""What is archived comes back for a while, or is searched where it is; nothing is counted twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scratch import Scratch
from sluice.archive.postgres import alone
from sluice.errors import ContractError, RejectedInput, Unavailable
from sluice.ledger.postgres import PostgresLedger
from sluice.search.model import Visible
from sluice.search.parse import parse_filters, parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_counts import PostgresLogCounter
from sluice.templates.postgres_audit import audit_census
from vault import NOW, Vault, always

SPAN = {"since": "2026-10-01T00:00:00Z", "until": "2026-10-02T00:00:00Z"}
EVER = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def archive_database(migrated_database: Callable[..., Scratch]) -> Scratch:
    """Of this module: archiving concerns every partition."""
    return migrated_database(is_partitioned=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the objects."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def vault(archive_database: Scratch, folder: Path) -> Iterator[Vault]:
    """Of which everything is archived."""
    vault = Vault(archive_database, folder)
    vault.fill()
    vault.run()
    yield vault
    for found in vault.rehydrator().all({}, always)["rehydrations"]:
        vault.rehydrator().release({"id": found["rehydration_id"]}, always)


def rehydrate(vault: Vault, number: int = 0, **members: Any) -> Any:
    event = {"application": vault.name(number), **EVER, **members}
    return vault.rehydrator().rehydrate(event, always)["rehydration"]


def reader(vault: Vault) -> PostgresLogReader:
    visible = Visible({application: vault.name(number) for number, application in enumerate(vault.applications)})
    return PostgresLogReader(vault.database("sluice_reader"), visible)


def test_what_comes_back_is_what_was_there(vault: Vault) -> None:
    before = [row for row in vault.expected.elements() if row[0] == vault.applications[0]]
    found = rehydrate(vault)
    assert (found["status"], found["loaded_rows"], found["row_count"]) == ("ready", 18, 18)
    assert vault.rehydrated() == Counter(before)
    assert (vault.hot(), vault.archived()) == ({}, vault.expected)


def test_it_can_be_queried_like_any_other_log(vault: Vault) -> None:
    rehydrate(vault)
    logs = reader(vault).search(parse_query({"limit": "100"}, NOW)).logs
    assert len(logs) == len({log["id"] for log in logs}) == 18
    assert {log["application"] for log in logs} == {vault.name()}
    words = reader(vault).search(parse_query({"q": "wort level:critical metadata.user_id:4"}, NOW)).logs
    expected = [log for log in logs if log["level"] == "CRITICAL" and log["metadata"].get("user_id") == 4]
    assert [log["id"] for log in words] == [log["id"] for log in expected] != []


def test_nothing_counts_twice(vault: Vault) -> None:
    """Statistics count the rows that can be read; the ledger and the census count what was stored, once."""
    database, applications = vault.database("sluice_reader"), set(vault.applications)
    ledger = PostgresLedger(database, applications)
    always_ago = datetime(2000, 1, 1, tzinfo=UTC)
    before, audit = ledger.settled({}), audit_census(database, applications, always_ago)
    census = vault.scratch.rows("SELECT sum(record_count) FROM template_counts")
    rehydrate(vault)
    rehydrate(vault)
    visible = Visible({vault.applications[0]: vault.name()})
    stats = PostgresLogCounter(database, visible).stats(parse_filters({}, NOW)).rows
    assert sum(row[2] for row in stats) == 18
    assert (ledger.settled({}), audit_census(database, applications, always_ago)) == (before, audit)
    assert vault.scratch.rows("SELECT sum(record_count) FROM template_counts") == census
    assert vault.overview().verify({}, always)["problems"] == []


def test_an_object_comes_back_once(vault: Vault) -> None:
    """A second rehydration brings what is not there, and keeps the rest for longer."""
    first = rehydrate(vault, until="2026-10-01T09:04:00Z", days=1)
    assert 0 < first["row_count"] < 18
    second = rehydrate(vault, days=9)
    assert first["row_count"] + second["row_count"] == 18
    assert max(vault.rehydrated().values()) == 1
    assert len(vault.rehydrated()) == 18
    assert rehydrate(vault) is None
    expiries = {item["expires_at"] for item in vault.rehydrator().all({}, always)["rehydrations"]}
    assert expiries == {(NOW + timedelta(days=9)).isoformat()}


def test_an_object_is_loaded_once(vault: Vault) -> None:
    """Whoever comes second, with rows read before the first was done."""
    mine = Counter({row: count for row, count in vault.expected.items() if row[0] == vault.applications[0]})
    rehydrations = vault.rehydrator().rehydrations
    number = rehydrations.begin(vault.applications[0], datetime(2000, 1, 1, tzinfo=UTC), NOW, NOW + timedelta(days=1))
    while item := rehydrations.next_object(number):
        for _ in range(2):
            rehydrations.load(number, item, vault.rehydrator()._rows(item, rehydrations.find(number)))
    rehydrations.attach(number)
    assert vault.rehydrated() == mine


def test_an_estimate_comes_first(vault: Vault) -> None:
    event = {"application": vault.name(), **SPAN}
    found = vault.rehydrator().estimate(event, always)
    assert (found["row_count"], found["object_count"], found["present_count"]) == (18, 3, 0)
    assert found["byte_count"] < found["text_bytes"]
    rehydrate(vault)
    found = vault.rehydrator().estimate(event, always)
    assert (found["row_count"], found["object_count"], found["present_count"]) == (0, 0, 3)


def test_nobody_sees_half_of_it(vault: Vault) -> None:
    event = {"application": vault.name(), **EVER}
    found = vault.rehydrator().rehydrate(event, lambda: False)["rehydration"]
    assert (found["status"], found["loaded_objects"]) == ("loading", 1)
    assert vault.rehydrated() == {}
    found = vault.rehydrator().rehydrate({"id": found["rehydration_id"]}, always)["rehydration"]
    assert found["status"] == "ready"
    assert vault.rehydrated().total() == 18


def test_a_run_goes_on_with_what_somebody_began(vault: Vault) -> None:
    vault.rehydrator().rehydrate({"application": vault.name(), **EVER}, lambda: False)
    vault.function().run({}, always)
    assert vault.rehydrated().total() == 18


def test_it_expires(vault: Vault) -> None:
    rehydrate(vault, days=2)
    vault.clock += timedelta(days=2)
    vault.function().run({}, always)
    assert vault.rehydrated() == {}
    assert vault.rehydrator().all({}, always)["rehydrations"] == []
    assert vault.scratch.rows("SELECT FROM event_time_bounds WHERE retention_class < 0") == []
    left = "SELECT relname FROM pg_class WHERE relname LIKE 'rehydrated%%' AND relname ~ '[0-9]'"
    assert vault.scratch.rows(left) == []
    assert vault.archived() == vault.expected
    assert rehydrate(vault)["row_count"] == 18


def test_a_damaged_object_brings_nothing_back(vault: Vault) -> None:
    key = vault.keys()[0]
    data = vault.objects.get(key) or b""
    vault.objects.put(key, data[:-1] + b"x")
    with pytest.raises(ContractError, match="unreadable_object"):
        rehydrate(vault)
    vault.objects.put(key, data)
    vault.function().run({}, always)
    assert vault.rehydrated().total() == 18


def test_what_cannot_be_rehydrated(vault: Vault) -> None:
    for members, code in (
        ({"since": "-1h", "until": "-2h"}, "invalid_since"),
        ({"since": None}, "invalid_since"),
        ({"days": 0}, "invalid_days"),
        ({"application": "nobody"}, "unknown_application"),
        ({"id": 77}, "unknown_rehydration"),
        ({"id": "x"}, "invalid_id"),
    ):
        with pytest.raises(RejectedInput) as caught:
            rehydrate(vault, **members)
        assert caught.value.code == code


def test_an_operator_is_told_that_the_archive_is_busy(vault: Vault) -> None:
    with alone(vault.database()), pytest.raises(Unavailable, match="archive_busy"):
        vault.function().answer({"action": "rehydrate", "application": vault.name(), **EVER}, lambda: 900.0)


def search(vault: Vault, has_time: Callable[[], bool] = always, **members: Any) -> list[dict[str, Any]]:
    """All logs found, whatever number of calls that takes."""
    cursor: str | None = None
    logs: list[dict[str, Any]] = []
    while True:
        event = {"application": vault.name(), **members} | ({"cursor": cursor} if cursor else {})
        answer = vault.searcher().search(event, has_time)
        logs += answer["logs"]
        if answer["cursor"] is None:
            assert answer["progress"]["rows_done"] == answer["progress"]["rows"]
            return logs
        assert answer["progress"]["rows_done"] <= answer["progress"]["rows"]
        assert answer["cursor"] != cursor
        cursor = answer["cursor"]


QUERIES = [
    {},
    {"q": "wort"},
    {"q": "wort level:>=error"},
    {"q": "-level:info metadata.user_id:3"},
    {"q": 'has:host OR "ünï"'},
    {"q": "metadata.big:1e16 has:metadata.none"},
    {"q": "metadata.none:x OR version:1*"},
    {"q": "nobody-wrote-this"},
    {"text": "rt 1"},
    {"level": "error,critical", "metadata.user_id": "4"},
    {"since": "2026-10-01T09:02:00Z", "until": "2026-10-01T09:05:00.000005Z"},
    {"q": "template:1"},
    {"q": "app:nobody"},
]


@pytest.mark.parametrize("members", QUERIES, ids=str)
def test_objects_are_searched_as_the_log_table_is(vault: Vault, members: dict[str, str]) -> None:
    """By the same language: what it finds there, it finds once it came back."""
    found = search(vault, always, **members)
    rehydrate(vault)
    page = reader(vault).search(parse_query({**members, "limit": "1000", "application": vault.name()}, NOW))
    assert {log["id"]: log for log in found} == {log["id"]: log for log in page.logs}
    assert len(found) == len(page.logs)


def test_a_search_goes_on_where_it_stopped(vault: Vault) -> None:
    whole = search(vault)
    assert len(whole) == 18
    assert search(vault, limit=4) == whole  # objects have seven rows: it stops within
    assert search(vault, limit=7) == whole
    turns = iter([True, False] * 1_000)
    assert search(vault, turns.__next__) == whole


@pytest.mark.parametrize("members", [{"cursor": "x"}, {"limit": 0}, {"q": "level:loud"}, {"application": 1}], ids=str)
def test_what_cannot_be_searched(vault: Vault, members: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput):
        vault.searcher().search({"application": vault.name(), **members}, always)
