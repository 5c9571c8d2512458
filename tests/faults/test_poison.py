"""F7: records that the database can never take, and records that kill whoever works on them."""

from typing import Any

import pytest

from faults.harness.environment import FATAL_MARKER
from faults.harness.load import deliver
from faults.harness.platform import Application, Platform
from faults.harness.scores import Scoreboard
from samples import poison, record
from sluice.entries.packing import pack_record

pytestmark = pytest.mark.timeout(300)

TICKS = 8
MAX_TICKS = 50
EVENT_AT = record().event_at.isoformat(timespec="microseconds").encode()
NESTED_TOO_DEEPLY = f'{{"a":{"[" * 20_000}{"]" * 20_000}}}'


def good(position: int) -> bytes:
    return pack_record(record(position))


def fatal(position: int) -> bytes:
    return pack_record(record(position, FATAL_MARKER.decode()))


def mixed(count: int, bad: set[int]) -> list[bytes]:
    return [poison(position) if position in bad else good(position) for position in range(count)]


def reasons(platform: Platform, application: Application) -> list[str]:
    """Why the application's dead letters are dead."""
    rows = platform.database.rows(
        "SELECT DISTINCT reason FROM dead_letters WHERE application_id = %s ORDER BY 1", application.application_id
    )
    return [reason for (reason,) in rows]


@pytest.mark.parametrize(
    ("what", "bad"), [("1 bad in 1,000", {500}), ("half bad", set(range(0, 1_000, 2))), ("all bad", set(range(1_000)))]
)
def test_bad_records_of_one_application(platform: Platform, scoreboard: Scoreboard, what: str, bad: set[int]) -> None:
    """One pass stores every good record and dead-letters every bad one."""
    sick, healthy = platform.create_application(), platform.create_application()
    platform.submit(sick, mixed(1_000, bad))
    deliver(platform, healthy, 100)
    report = platform.drain()
    verdict = platform.oracle.judge()
    scoreboard.add("F7", what, verdict, rounds=1, hit=1)
    assert report["chunks_failed"] == 0
    assert (verdict.stored, verdict.dead) == (1_100 - len(bad), len(bad))
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


def test_bad_records_of_several_applications(platform: Platform, scoreboard: Scoreboard) -> None:
    """That looks like a fault of ours: nothing is dead-lettered until an operator insists, and good logs are stored."""
    sick = [platform.create_application() for _ in range(3)]
    healthy = platform.create_application()
    for application in sick:
        platform.submit(application, mixed(50, set(range(50))))
        deliver(platform, application, 10)
    deliver(platform, healthy, 20)
    for _ in range(3):
        platform.drain()
    held = platform.oracle.judge()
    assert (held.stored, held.dead) == (3 * 10 + 20, 0)
    totals = platform.oracle.totals()
    assert (totals.in_flight, totals.unaccounted) == (3 * 50, 0)
    platform.drain({"is_forced": True})
    verdict = platform.oracle.judge()
    scoreboard.add("F7", "all bad of 3 applications", verdict, rounds=1, hit=1)
    assert (verdict.stored, verdict.dead) == (3 * 10 + 20, 3 * 50)
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("22p05", poison(0)),
        ("22p02", pack_record(record(metadata="{"))),
        ("22003", pack_record(record(severity_number=10**6))),
        ("22021", pack_record(record(message="a\x00b"))),
        ("22021", good(0).replace(b"checkout", b"check\xffout")),
        ("22007", good(0).replace(EVENT_AT, b"the other day")),
        ("22008", good(0).replace(EVENT_AT, b"2026-02-30T12:00:00+00:00")),
        ("22p04", good(0).replace(b"\n", b"\t{}\n")),
        ("54001", pack_record(record(metadata=NESTED_TOO_DEEPLY))),
        ("23502", good(0).replace(b"checkout finished", b"\\N")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_permanent_error(platform: Platform, scoreboard: Scoreboard, state: str, line: bytes) -> None:
    """The one bad record is dead-lettered under its SQLSTATE; those around it, and other tenants', are stored."""
    sick, healthy = platform.create_application(), platform.create_application()
    platform.submit(sick, [line, *(good(position) for position in range(1, 10))])
    deliver(platform, healthy, 10)
    platform.drain()
    verdict = platform.oracle.judge()
    scoreboard.add("F7", f"SQLSTATE {state.upper()}", verdict, rounds=1, hit=1)
    assert (verdict.stored, verdict.dead) == (19, 1)
    assert reasons(platform, sick) == [f"sqlstate_{state}"]
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


def test_a_record_that_kills(platform: Platform, scoreboard: Scoreboard) -> None:
    """Its entry ends in the dead letters as ``crashed``; whatever shared a chunk with it is stored."""
    sick, healthy = platform.create_application(), platform.create_application()
    killer = platform.submit(sick, [good(0), fatal(1), good(2)])
    for _ in range(TICKS):
        deliver(platform, healthy, 10)
        deliver(platform, sick, 10)
        platform.drain()
    recovery_seconds = platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F7", "a record that kills", verdict, rounds=1, hit=1, recovery_seconds=recovery_seconds)
    assert (verdict.stored, verdict.dead) == (2 * TICKS * 10, 3)
    assert reasons(platform, sick) == ["crashed"]
    rows = platform.database.rows("SELECT count(*) FROM dead_letters WHERE batch_id = %s", killer)
    assert rows == [(3,)]
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)


def delay_in_ticks(platform: Platform, healthy: Application, sick: list[Application], line: Any) -> int:
    """The most ticks that a good log had to wait while ``sick`` send nothing but ``line``."""
    sent_at: dict[str, int] = {}
    longest = 0
    for tick in range(TICKS + 3):
        if tick < TICKS:
            for application in sick:
                for _ in range(3):
                    platform.submit(application, [line(position) for position in range(30)])
            sent_at[deliver(platform, healthy, 10).body["batch_id"]] = tick
        platform.drain()
        stored = sent_at.keys() - platform.oracle.missing()
        longest = max([longest, *(tick - sent_at.pop(batch_id) + 1 for batch_id in stored)])
    assert not sent_at, f"{len(sent_at)} good batches are not stored"
    return longest


def bury(platform: Platform, healthy: Application) -> None:
    """Ticks until the last bad log is in the dead letters. What kills gets there only while others can be stored."""
    for _ in range(MAX_TICKS):
        deliver(platform, healthy, 1)
        if platform.drain({"is_forced": True})["backlog_entries"] == 0:
            return
    pytest.fail(f"the queue is not empty after {MAX_TICKS} ticks")


@pytest.mark.parametrize(
    ("what", "line", "tenants"),
    [("poison", poison, 1), ("poison", poison, 2), ("killers", fatal, 1)],
    ids=["poison of one", "poison of two", "killers of one"],
)
def test_nothing_but_poison_delays_nobody(
    platform: Platform, scoreboard: Scoreboard, what: str, line: Any, tenants: int
) -> None:
    """A good log is stored in the tick after it was sent, or the one after that, whatever the neighbours send."""
    healthy = platform.create_application()
    sick = [platform.create_application() for _ in range(tenants)]
    delay = delay_in_ticks(platform, healthy, sick, line)
    bury(platform, healthy)
    verdict = platform.oracle.judge()
    scoreboard.add("F7", f"nothing but {what} from {tenants}: {delay} tick(s)", verdict, rounds=TICKS, hit=TICKS)
    assert delay <= 2
    assert verdict.is_clean, verdict
    platform.oracle.assert_settled(verdict)
