"""Which spikes come again and again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sluice.anomalies.recurrence import Recurrence

START = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def after(*spikes: tuple[float, float]) -> Recurrence:
    """Days since the start, and counts."""
    recurrence = Recurrence()
    for days, count in spikes:
        recurrence.remember(START + days * DAY, count)
    return recurrence


@pytest.mark.parametrize(
    ("spikes", "count", "is_expected", "is_expected_if_minor"),
    [
        ([], 1, False, False),
        ([(13, 80)], 80, False, True),  # once is enough for what does not matter
        ([(12, 80), (13, 80)], 80, True, True),
        ([(7, 80)], 80, True, True),  # a week ago
        ([(7.2, 80)], 80, False, True),
        ([(12, 80), (13, 80)], 121, False, False),  # larger than ever
        ([(12, 80), (13, 200)], 121, False, True),
        ([(12, 80), (13, 200)], 119, True, True),
        ([(12.4, 80), (13.2, 80)], 80, False, True),  # at other times
        ([(11.95, 80), (12.95, 80)], 80, True, True),  # an hour earlier,
        ([(12.03, 80), (13.03, 80)], 80, True, True),  # or somewhat later
        ([(11.9, 80), (12.9, 80)], 80, False, True),
        ([(12.1, 80), (13.1, 80)], 80, False, True),
        ([(13.97, 80), (13.99, 80)], 80, False, False),  # today
        ([(12.97, 80), (13.02, 80)], 80, False, True),  # both yesterday
        ([(11.97, 80), (13.02, 80)], 80, True, True),
    ],
    ids=str,
)
def test_a_spike_is_expected_after_others_like_it(
    spikes: list[tuple[float, float]], count: float, is_expected: bool, is_expected_if_minor: bool
) -> None:
    recurrence = after(*spikes)
    now = START + 14 * DAY
    assert recurrence.expects(now, count, is_minor=False) is is_expected
    assert recurrence.expects(now, count, is_minor=True) is is_expected_if_minor


def test_the_buckets_of_a_spike_are_one() -> None:
    recurrence = Recurrence()
    for night in (0, 1):
        for minute, count in ((0, 10), (10, 90), (20, 30)):
            recurrence.remember(START + night * DAY + minute * MINUTE, count)
    assert [largest for _, largest in recurrence.spikes] == [90, 90]
    assert recurrence.expects(START + 2 * DAY, 130, is_minor=False)


def test_it_forgets_and_stays_small() -> None:
    assert not after((0, 80), (1, 80)).expects(START + 40 * DAY, 80, is_minor=True)
    many = after(*((number / 8, 80) for number in range(2_000)))
    assert len(many.spikes) == 100
    again = Recurrence.from_state(json.loads(json.dumps(many.to_state())))
    assert again == many
