"""One contract for the logs of sessions, and for what is kept of them: in memory, and Postgres through PgBouncer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from fakes import MemorySessionLogs, MemorySessionStore
from scratch import Scratch
from sluice.anomalies.assembly import Piece
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Conflict, SessionLogs, SessionProgress, SessionStore
from sluice.anomalies.postgres_sessions import PostgresSessionLogs, PostgresSessionStore
from sluice.anomalies.series import Episode, Series
from sluice.entries.model import Level
from sluice.runtime.postgres import Database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR = NOON, NOON + 60 * MINUTE
EVER = None, NOON + 60 * MINUTE
ALL = 1_000


@dataclass
class Office:
    """What is under contract, and who stores logs: ``tell(application, trace, template, level, event, receipt)``."""

    logs: SessionLogs
    store: SessionStore
    applications: Iterator[int]
    tell: Callable[[int, str | None, int, Level, datetime, datetime], None]


@pytest.fixture(params=["memory", "postgres"])
def office(request: pytest.FixtureRequest) -> Office:
    return _memory() if request.param == "memory" else _postgres(request.getfixturevalue("scratch"))


def _memory() -> Office:
    logs, store = MemorySessionLogs(), MemorySessionStore()

    def applications() -> Iterator[int]:
        for number in count(1):
            store.application_ids.append(number)
            yield number

    def tell(
        application: int, trace: str | None, template: int, level: Level, at: datetime, received: datetime
    ) -> None:
        if trace is not None:
            logs.add(application, trace, template, level, at, received)

    return Office(logs, store, applications(), tell)


def _postgres(scratch: Scratch) -> Office:
    database = Database(scratch.url("sluice_watcher"))
    scratch.rows("SELECT ensure_partition(1::smallint, %s)", NOON.date())

    def applications() -> Iterator[int]:
        while True:
            application_id = scratch.create_application()
            scratch.rows("INSERT INTO template_sets (application_id) VALUES (%s)", application_id)
            yield application_id

    def tell(
        application: int, trace: str | None, template: int, level: Level, at: datetime, received: datetime
    ) -> None:
        sql = (
            "INSERT INTO log_rows (application_id, position, batch_id, received_at, event_at, retention_class,"
            " level, flags, trace_id, template_id, message, metadata)"
            " VALUES (%s, 0, gen_random_uuid(), %s, %s, 1, %s, 0, %s, %s, 'm', '{}')"
        )
        scratch.rows(sql, application, received, at, level, trace, template or None)

    return Office(PostgresSessionLogs(database), PostgresSessionStore(database), applications(), tell)


def pieces(office: Office, shop: int, *, share: int = 0, limit: int = ALL) -> list[Piece]:
    return sorted(office.logs.pieces(shop, "trace_id", HOUR, None, share, limit))


def test_logs_of_a_session_and_template_are_one_piece(office: Office) -> None:
    shop, other = next(office.applications), next(office.applications)
    office.tell(shop, "a", 7, Level.INFO, NOON + SECOND, NOON + SECOND)
    office.tell(shop, "a", 7, Level.ERROR, NOON - SECOND, NOON + 2 * SECOND)
    office.tell(shop, "a", 0, Level.INFO, NOON, NOON)
    office.tell(shop, "b", 7, Level.INFO, NOON, NOON + 59 * MINUTE)
    office.tell(shop, "b", 7, Level.INFO, NOON, NOON + 60 * MINUTE)
    office.tell(shop, None, 7, Level.INFO, NOON, NOON)
    office.tell(other, "a", 7, Level.INFO, NOON, NOON)
    at = NOON.timestamp()
    assert [each._replace(lot=0) for each in pieces(office, shop)] == [
        Piece("a", 0, 0, Level.INFO, 1, at, at),
        Piece("a", 0, 7, Level.ERROR, 2, at - 1, at + 1),
        Piece("b", 0, 7, Level.INFO, 1, at, at),
    ]


def test_logs_of_a_time_of_events(office: Office) -> None:
    shop = next(office.applications)
    for minute in range(4):
        office.tell(shop, str(minute), 7, Level.INFO, NOON + minute * MINUTE, NOON + 10 * MINUTE)
    found = office.logs.pieces(shop, "trace_id", EVER, (NOON + MINUTE, NOON + 3 * MINUTE), 0, ALL)
    assert sorted(each.session for each in found) == ["1", "2"]


def test_a_share_has_whole_sessions_and_halves(office: Office) -> None:
    shop = next(office.applications)
    for number in range(64):
        for template in (1, 2):
            office.tell(shop, f"trace {number}", template, Level.INFO, NOON, NOON + template * SECOND)
    everything = pieces(office, shop)
    before = everything
    for share in (1, 2, 3):
        found = pieces(office, shop, share=share)
        assert found == [piece for piece in everything if piece.lot % (1 << share) == 0]
        assert len({each.session for each in found}) * 2 == len(found) < len(before)
        before = found
    assert len(pieces(office, shop, limit=9)) == 9


def test_which_field_names_sessions(office: Office) -> None:
    shop = next(office.applications)
    office.tell(shop, None, 7, Level.INFO, NOON, NOON)
    assert office.logs.field(shop, HOUR) == ""
    office.tell(shop, "a", 7, Level.INFO, NOON, NOON)
    assert office.logs.field(shop, HOUR) == "trace_id"


def episode(**changes: object) -> Episode:
    window = NOON - MINUTE, NOON
    series = Series(0, 7, "missing", 3)
    found = Episode(series, NOON, Kind.SESSION, NOON - MINUTE, NOON, 0.75, 9.0, 0.5, window, NOON - 9 * MINUTE)
    return replace(found, total=40, field="trace_id", sessions=("a", "b"), one_in=2, **changes)  # type: ignore[arg-type]


def test_what_is_saved_is_loaded(office: Office) -> None:
    shop = next(office.applications)
    assert office.store.load(shop) == (SessionProgress(shop), None, [])
    assert list(office.store.episodes(shop)) == []
    office.store.save(SessionProgress(shop, 0, NOON), {"open": [1.5]}, [episode()])
    office.store.save(SessionProgress(shop, 1, NOON + MINUTE), {"open": [2.5]}, [episode(is_open=False)])
    assert office.store.load(shop) == (
        SessionProgress(shop, 2, NOON + MINUTE),
        {"open": [2.5]},
        [episode(is_open=False)],
    )
    assert list(office.store.episodes(shop)) == [episode(is_open=False)]


def test_of_two_that_save_at_once_one_saves_nothing(office: Office) -> None:
    shop = next(office.applications)
    office.store.save(SessionProgress(shop, 0, NOON), {"by": 1}, [])
    with pytest.raises(Conflict):
        office.store.save(SessionProgress(shop, 0, NOON + MINUTE), {"by": 2}, [episode()])
    assert office.store.load(shop) == (SessionProgress(shop, 1, NOON), {"by": 1}, [])


def test_who_is_furthest_behind_comes_first(office: Office) -> None:
    shops = [next(office.applications) for _ in range(3)]
    office.store.save(SessionProgress(shops[0], 0, NOON + MINUTE), {}, [])
    office.store.save(SessionProgress(shops[1], 0, NOON), {}, [])
    order: Sequence[int] = [each.application_id for each in office.store.progress() if each.application_id in shops]
    assert order == [shops[2], shops[1], shops[0]]
