"""One contract for what rules ask of logs: the in-memory fake, and Postgres by census and by rows."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from desk import Desk
from fakes import NOON
from fakes.alerts import MemoryLogSource
from scratch import Scratch
from sluice.alerts.ports import LogSource, Novelty
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

MINUTE = timedelta(minutes=1)
MESSAGES = {1: "order placed", 2: "out of memory"}


class Shelf:
    """Logs of two templates at minutes from noon, and the ids of these."""

    def __init__(self, source: LogSource, ids: dict[int, int]) -> None:
        self.source, self.ids = source, ids

    def counts(self, query: str, *group_by: str, step: timedelta = MINUTE) -> dict[tuple[str, ...], dict[int, int]]:
        """By group and minutes from noon."""
        series = self.source.series(query, group_by, NOON - 10 * MINUTE, NOON + 10 * MINUTE, step)
        return {
            group: {(start - NOON) // MINUTE: count for start, count in counts.items() if count}
            for group, counts in series.counts.items()
        }


LOGS = (
    (0, 3, Level.INFO, 1, "a"),
    (0, 2, Level.ERROR, 2, "a"),
    (4, 1, Level.ERROR, 2, "b"),
    (9, 1, Level.DEBUG, 1, "b"),
)


@pytest.fixture(params=["memory", "census", "rows"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    if request.param == "memory":
        memory = MemoryLogSource(templates=[Novelty(number, text, NOON) for number, text in MESSAGES.items()])
        for minute, count, level, template, host in LOGS:
            memory.add(NOON + minute * MINUTE, count, level, template, host=host)
        return Shelf(memory, {1: 1, 2: 2})
    scratch: Scratch = request.getfixturevalue("scratch")
    client: redis.Redis = request.getfixturevalue("redis_client")
    desk = Desk(scratch, client)
    application_id, name = desk.new_application()
    for minute, count, level, template, host in LOGS:
        desk.store(
            application_id, *[MESSAGES[template]] * count, level=level, host=host, event_at=NOON + minute * MINUTE
        )
    database = Database(scratch.url("sluice_watcher"))
    known = dict(scratch.rows("SELECT text, template_id FROM templates WHERE application_id = %s", application_id))
    ids = {number: known[text] for number, text in MESSAGES.items()}
    return Shelf(PostgresLogSource(database, application_id, name, has_census=request.param == "census"), ids)


def test_counts_by_time(shelf: Shelf) -> None:
    assert shelf.counts("") == {(): {0: 5, 4: 1, 9: 1}}
    assert shelf.counts("level:>=error") == {(): {0: 2, 4: 1}}
    assert shelf.counts("-level:error", step=5 * MINUTE) == {(): {0: 3, 5: 1}}
    assert shelf.counts("level:warning") == {}


def test_counts_by_group(shelf: Shelf) -> None:
    assert shelf.counts("", "level") == {("info",): {0: 3}, ("error",): {0: 2, 4: 1}, ("debug",): {9: 1}}
    assert shelf.counts("level:>=error", "template") == {(str(shelf.ids[2]),): {0: 2, 4: 1}}
    assert shelf.counts("level:>=error", "host", "level") == {("a", "error"): {0: 2}, ("b", "error"): {4: 1}}


def test_counts_of_a_template(shelf: Shelf) -> None:
    assert shelf.counts(f"template:{shelf.ids[1]}") == {(): {0: 3, 9: 1}}
    assert shelf.counts(f"-template:{shelf.ids[1]} OR level:debug") == {(): {0: 2, 4: 1, 9: 1}}


def test_what_is_new(shelf: Shelf) -> None:
    began_at = shelf.source.learnt_since()
    assert began_at is not None
    found = shelf.source.novelties(began_at, began_at + timedelta(days=1))
    assert {(new.template_id, new.text) for new in found} == {(shelf.ids[n], text) for n, text in MESSAGES.items()}
    assert shelf.source.novelties(began_at - MINUTE, began_at) == []
    assert shelf.source.template_text(shelf.ids[2]) == MESSAGES[2]
    assert shelf.source.template_text(2**31 - 1) is None


def test_an_application_without_logs(scratch: Scratch) -> None:
    source = PostgresLogSource(Database(scratch.url("sluice_watcher")), scratch.create_application(), "nothing")
    assert source.learnt_since() is None
    assert source.series("", (), NOON, NOON + MINUTE, MINUTE).counts == {}
    assert source.samples("", NOON, NOON + MINUTE, 3) == []


def test_samples_are_short_and_few(scratch: Scratch, redis_client: redis.Redis) -> None:
    desk = Desk(scratch, redis_client)
    application_id, name = desk.new_application()
    desk.store(application_id, "x" * 5_000, "two", "three", "four", level=Level.ERROR)
    source = PostgresLogSource(Database(scratch.url("sluice_watcher")), application_id, name)
    samples = source.samples("level:error", NOON, NOON + MINUTE, 3)
    assert len(samples) == 3
    assert all(sample.keys() == {"id", "timestamp", "level", "message"} for sample in samples)
    ((long,),) = [source.samples("x*", NOON, NOON + MINUTE, 3)]
    assert len(long["message"]) == 300


def test_swallowing_an_older_template_makes_none_new(scratch: Scratch, redis_client: redis.Redis) -> None:
    desk = Desk(scratch, redis_client)
    application_id, name = desk.new_application()
    desk.store(application_id, "first thing")
    desk.store(application_id, "another matter")
    sql = "SELECT template_id, created_at FROM templates WHERE application_id = %s ORDER BY template_id"
    (old, began_at), (new, _) = scratch.rows(sql, application_id)
    source: Callable[[], list[Novelty]] = lambda: PostgresLogSource(  # noqa: E731  # asked thrice
        Database(scratch.url("sluice_watcher")), application_id, name
    ).novelties(began_at, began_at + timedelta(days=1))
    assert [one.template_id for one in source()] == [old, new]
    scratch.rows("UPDATE templates SET merged_into = %s WHERE template_id = %s", new, old)
    assert source() == []
    scratch.rows("UPDATE templates SET merged_into = NULL WHERE template_id = %s", old)
    scratch.rows("UPDATE templates SET is_ignored = true WHERE template_id = %s", new)
    assert [one.template_id for one in source()] == [old]
