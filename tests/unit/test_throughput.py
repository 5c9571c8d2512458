"""The last hour by minutes, and what an application has left."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from sluice.admission.model import DAY_SECONDS, Rates, Usage, read_usage
from sluice.ledger.throughput import Settled, without_gaps

RATES = Rates(requests_per_second=10, bytes_per_second=1_000, bytes_per_day=10_000, burst_seconds=2)


@given(st.floats(0, 59.9))
def test_an_hour_has_sixty_minutes_without_gaps(seconds: float) -> None:
    now = NOON + timedelta(seconds=seconds)
    shown = without_gaps({NOON - timedelta(minutes=3): Settled(stored=5)}, now, None)
    minutes = list(shown.minutes)
    assert len(minutes) == 60
    assert (minutes[0], minutes[-1]) == (NOON - timedelta(minutes=59), NOON)
    assert [settled.stored for settled in shown.minutes.values()][-4:] == [5, 0, 0, 0]
    assert not shown.is_cut


def test_a_minute_that_was_read_in_part_is_left_out() -> None:
    shown = without_gaps({}, NOON, NOON - timedelta(minutes=2, seconds=30))
    assert list(shown.minutes) == [NOON - timedelta(minutes=2), NOON - timedelta(minutes=1), NOON]
    assert shown.is_cut


def test_counts_add_up() -> None:
    assert Settled(1, 2, 3) + Settled(10, 20, 30) == Settled(11, 22, 33)


def test_an_application_that_never_sent_has_everything_left() -> None:
    usage = read_usage([None] * 6, RATES, 1_000_000)
    assert usage == Usage(bytes_today=0, requests_today=0, requests_left=20, bytes_left=2_000)


def test_what_was_used_comes_back_with_time() -> None:
    now = 10.25 * DAY_SECONDS
    state = [str(now - 0.5).encode(), b"3.0", b"-700.0", b"10", b"4000", b"7"]
    usage = read_usage(state, RATES, now)
    assert usage == Usage(bytes_today=4_000, requests_today=7, requests_left=8, bytes_left=-200)


def test_a_day_that_is_over_does_not_count() -> None:
    usage = read_usage([b"1.0", b"3", b"1", b"9", b"4000", b"7"], RATES, 10.25 * DAY_SECONDS)
    assert (usage.bytes_today, usage.requests_today) == (0, 0)


def test_a_refund_never_makes_less_than_nothing() -> None:
    assert read_usage([b"1.0", b"3", b"1", b"10", b"-5", None], RATES, 10.25 * DAY_SECONDS).bytes_today == 0
