"""One contract for what watching reads and keeps: in memory, and Postgres through PgBouncer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from fakes import MemoryCensus, MemoryWatchStore
from scratch import Scratch
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.feedback import Feedback, Judged
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Census, Conflict, Progress, Template, WatchStore
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.series import ALL, Cell, Episode, Series
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVER = None, NOON + 24 * HOUR


@dataclass
class Office:
    """What is under contract, and who fills it: ``tell(application, minute, template, level, count, received)``."""

    census: Census
    store: WatchStore
    applications: Iterator[int]
    add_template: Callable[[int, str], int]
    merge: Callable[[int, int], None]
    tell: Callable[[int, datetime, int, int, int, datetime], None]
    judge: Callable[[int, Anomaly, Feedback], None]


@pytest.fixture(params=["memory", "postgres"])
def office(request: pytest.FixtureRequest) -> Office:
    return _memory() if request.param == "memory" else _postgres(request.getfixturevalue("scratch"))


def _memory() -> Office:
    census = MemoryCensus()
    store = MemoryWatchStore(census)
    numbers = count(1)

    def add_template(application_id: int, text: str) -> int:
        census.names[application_id][number := next(numbers)] = text
        return number

    def judge(application_id: int, anomaly: Anomaly, verdict: Feedback) -> None:
        subjects = frozenset((member.series, member.is_above) for member in anomaly.members)
        store.verdicts[application_id].append(Judged(verdict, NOON, anomaly.score, subjects))

    return Office(
        census,
        store,
        count(1),
        add_template,
        census.roots.__setitem__,
        lambda application_id, minute, template_id, level, number, received: census.add(
            application_id, Cell(minute, template_id, level, number), received
        ),
        judge,
    )


def _postgres(scratch: Scratch) -> Office:
    database = Database(scratch.url("sluice_watcher"))
    numbers = count(1)

    def applications() -> Iterator[int]:
        while True:
            application_id = scratch.create_application()
            scratch.rows("INSERT INTO template_sets (application_id) VALUES (%s)", application_id)
            yield application_id

    def add_template(application_id: int, text: str) -> int:
        sql = (
            "INSERT INTO templates (application_id, number, version, text) VALUES (%s, %s, 1, %s) RETURNING template_id"
        )
        ((template_id,),) = scratch.rows(sql, application_id, next(numbers), text)
        return int(template_id)

    def merge(template_id: int, root: int) -> None:
        scratch.rows("UPDATE templates SET mined_into = %s WHERE template_id = %s", root, template_id)
        scratch.rows(
            "UPDATE template_sets SET version = version + 1 WHERE application_id ="
            " (SELECT application_id FROM templates WHERE template_id = %s)",
            root,
        )

    def tell(application_id: int, minute: datetime, template_id: int, level: int, number: int, at: datetime) -> None:
        scratch.rows(
            "INSERT INTO template_counts (application_id, event_minute, template_id, template_key, level,"
            " received_minute, record_count) VALUES (%s, %s, %s, 0, %s, %s, %s)",
            *(application_id, minute, template_id, level, at, number),
        )

    def judge(application_id: int, anomaly: Anomaly, verdict: Feedback) -> None:
        scratch.rows(
            "UPDATE anomalies SET feedback = %s, feedback_at = %s WHERE application_id = %s AND founder = %s",
            *(verdict, NOON, application_id, anomaly.key[0]),
        )

    store = PostgresWatchStore(database)
    return Office(PostgresCensus(database), store, applications(), add_template, merge, tell, judge)


def cells(office: Office, application_id: int, *, received: tuple[datetime | None, datetime] = EVER) -> list[Cell]:
    found = office.census.cells(application_id, (NOON - HOUR, NOON + HOUR), received, is_by_minute=True)
    return sorted(found, key=lambda cell: (cell.minute, cell.template_id, cell.level))


def anomaly(application_id: int, series: Series = ALL, *, at: datetime = NOON, **changes: Any) -> Anomaly:
    window = at - HOUR / 6, at
    member = Episode(series, at, Kind.SPIKE, at, at + MINUTE, 0.75, 40.0, 2.5, window, at - 24 * HOUR)
    whole = Anomaly(application_id, at + MINUTE, (member,), (3, 4), Level.ERROR, "many", "1.2", ("a-0",))
    return replace(whole, **changes) if changes else whole


def test_counts_are_by_minute_level_and_template(office: Office) -> None:
    shop, other = next(office.applications), next(office.applications)
    template_id = office.add_template(shop, "order placed")
    office.tell(shop, NOON, template_id, Level.INFO, 3, NOON)
    office.tell(shop, NOON, template_id, Level.INFO, 2, NOON + MINUTE)
    office.tell(shop, NOON, template_id, Level.ERROR, 1, NOON)
    office.tell(shop, NOON + MINUTE, 0, Level.INFO, 5, NOON + MINUTE)
    office.tell(shop, NOON + HOUR, template_id, Level.INFO, 9, NOON + HOUR)
    office.tell(other, NOON, 0, Level.INFO, 7, NOON)
    assert cells(office, shop) == [
        Cell(NOON, template_id, Level.INFO, 5),
        Cell(NOON, template_id, Level.ERROR, 1),
        Cell(NOON + MINUTE, 0, Level.INFO, 5),
    ]


def test_counts_of_logs_that_were_received_in_a_time(office: Office) -> None:
    shop = next(office.applications)
    for minute in range(3):
        office.tell(shop, NOON, 0, Level.INFO, 1 + minute, NOON + minute * MINUTE)
    assert [each.count for each in cells(office, shop, received=(None, NOON + MINUTE))] == [1]
    assert [each.count for each in cells(office, shop, received=(NOON + MINUTE, NOON + 3 * MINUTE))] == [5]


def test_counts_by_bucket(office: Office) -> None:
    shop = next(office.applications)
    for minute in (0, 9, 10):
        office.tell(shop, NOON + minute * MINUTE, 0, Level.INFO, 1, NOON)
    found = office.census.cells(shop, (NOON, NOON + HOUR), EVER, is_by_minute=False)
    assert sorted((each.minute, each.count) for each in found) == [(NOON, 2), (NOON + 10 * MINUTE, 1)]


def test_templates_count_as_what_they_were_merged_into(office: Office) -> None:
    shop = next(office.applications)
    one, other = office.add_template(shop, "user <*> left"), office.add_template(shop, "user bob left")
    office.tell(shop, NOON, one, Level.INFO, 1, NOON)
    office.tell(shop, NOON, other, Level.INFO, 2, NOON)
    assert len(cells(office, shop)) == 2
    office.merge(other, one)
    assert cells(office, shop) == [Cell(NOON, one, Level.INFO, 3)]
    assert office.census.templates(shop) == {one: Template("user <*> left", one), other: Template("user bob left", one)}


def test_when_an_application_began(office: Office) -> None:
    shop = next(office.applications)
    assert office.census.first_minute(shop, NOON - 24 * HOUR) is None
    for minute in (5, 3, 8):
        office.tell(shop, NOON + minute * MINUTE, 0, Level.INFO, 1, NOON)
    assert office.census.first_minute(shop, NOON - 24 * HOUR) == NOON + 3 * MINUTE
    assert office.census.first_minute(shop, NOON + 4 * MINUTE) == NOON + 5 * MINUTE


@pytest.mark.parametrize(
    ("late", "lag"), [({0: 990, 1: 10}, 0), ({0: 900, 1: 95, 2: 5}, 1), ({60: 100}, 15), ({-5: 1}, 0), ({}, 0)]
)
def test_how_long_logs_take(office: Office, late: dict[int, int], lag: int) -> None:
    shop = next(office.applications)
    for delay, number in late.items():
        office.tell(shop, NOON - HOUR, 0, Level.INFO, number, NOON - HOUR + delay * MINUTE)
    assert office.census.lag(shop, NOON + HOUR) == lag * MINUTE


def test_what_is_saved_is_loaded(office: Office) -> None:
    shop = next(office.applications)
    assert office.store.load(shop).progress == Progress(shop)
    states = {"all": {"level": 0.5}, "catalogue": {"templates": [[1, 2.5]]}}
    told = [anomaly(shop), anomaly(shop, Series(0, 7), closed_at=NOON + MINUTE, is_corrected=True, version=None)]
    office.store.save(Progress(shop, 0, NOON, NOON + HOUR), states, told)
    saved = office.store.load(shop)
    assert saved.progress == Progress(shop, 1, NOON, NOON + HOUR)
    assert saved.states == states
    assert sorted(saved.anomalies, key=lambda each: each.key) == told


def test_states_that_are_no_longer_kept_go(office: Office) -> None:
    shop = next(office.applications)
    office.store.save(Progress(shop, 0, NOON, NOON), {"all": 1, "template:3": 2}, [])
    office.store.save(Progress(shop, 1, NOON, NOON + MINUTE), None, [])
    assert office.store.load(shop).states == {"all": 1, "template:3": 2}
    office.store.save(Progress(shop, 2, NOON, NOON), {"all": 3}, [])
    assert office.store.load(shop).states == {"all": 3}


def test_an_anomaly_that_changes_stays_one(office: Office) -> None:
    shop = next(office.applications)
    office.store.save(Progress(shop, 0, NOON, NOON), {}, [anomaly(shop)])
    changed = anomaly(shop, closed_at=NOON + HOUR, sentence="many, and more")
    office.store.save(Progress(shop, 1, NOON, NOON), None, [changed])
    assert list(office.store.load(shop).anomalies) == [changed]


def test_of_two_that_save_at_once_one_saves_nothing(office: Office) -> None:
    shop = next(office.applications)
    office.store.save(Progress(shop, 0, NOON, NOON), {"all": 1}, [])
    with pytest.raises(Conflict):
        office.store.save(Progress(shop, 0, NOON + HOUR, NOON), {"all": 2}, [anomaly(shop)])
    saved = office.store.load(shop)
    assert (saved.progress.generation, saved.states, list(saved.anomalies)) == (1, {"all": 1}, [])


def test_who_is_furthest_behind_comes_first(office: Office) -> None:
    shops = [next(office.applications) for _ in range(3)]
    for shop in shops:
        office.tell(shop, NOON, 0, Level.INFO, 1, NOON)
    office.store.save(Progress(shops[0], 0, NOON, NOON + HOUR), {}, [])
    office.store.save(Progress(shops[1], 0, NOON, NOON), {}, [])
    order = [each.application_id for each in office.store.progress() if each.application_id in shops]
    assert order == [shops[2], shops[1], shops[0]]


def test_what_people_said(office: Office) -> None:
    shop = next(office.applications)
    told: Sequence[Anomaly] = [anomaly(shop), anomaly(shop, Series(Level.ERROR))]
    office.store.save(Progress(shop, 0, NOON, NOON), {}, told)
    office.judge(shop, told[1], Feedback.NOISE)
    expected = Judged(Feedback.NOISE, NOON, 0.75, frozenset({(Series(Level.ERROR), True)}))
    assert list(office.store.judged(shop, NOON - HOUR)) == [expected]
    assert list(office.store.judged(shop, NOON + HOUR)) == []
