"""Requests that are charged ahead: nothing is admitted that was not charged, and what was not used comes back."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.admission.lease import LEASE_SECONDS, MAX_REQUESTS, Lease, Terms
from sluice.admission.model import Rates

RATES = Rates(requests_per_second=100, bytes_per_second=10_000, bytes_per_day=1_000_000, burst_seconds=10)
DAY_MS = 3_600_000
AT = 1_800_000_000.0


@dataclass
class Account:
    """What Redis keeps, without the passing of time; it grants what is asked for."""

    requests: int = 1_000
    size: int = 100_000
    day_ms: int = DAY_MS
    is_refusing: bool = False
    asked: list[Terms] = field(default_factory=list)

    def take(self, lease: Lease, body_bytes: int, now: float) -> bool:
        """Whether a request is taken in."""
        if lease.spend(body_bytes, now):
            return True
        terms = lease.terms(body_bytes, now)
        self.asked.append(terms)
        if not self.is_refusing:
            self.requests += terms.back - 1 - terms.ahead
            self.size += terms.back_bytes - body_bytes - terms.ahead_bytes
        requests, size = self.requests + terms.ahead, self.size + terms.ahead_bytes
        answer = [int(self.is_refusing), requests, 0, 0, size, 0, 0, 900_000, self.day_ms, terms.ahead]
        lease.renew(answer, terms, now)
        return not self.is_refusing


def test_who_sends_much_asks_seldom() -> None:
    account, lease = Account(), Lease(RATES)
    for number in range(500):
        account.take(lease, 10, AT + number / 1_000)
    assert [terms.ahead for terms in account.asked[:8]] == [0, 1, 2, 4, 8, 16, 32, 64]
    assert len(account.asked) == 14
    assert all(terms.back == 0 and terms.ahead_bytes == 10 * terms.ahead for terms in account.asked)


def test_who_sends_seldom_asks_each_time() -> None:
    account, lease = Account(), Lease(RATES)
    for number in range(20):
        account.take(lease, 10, AT + number * 1.01 * LEASE_SECONDS)
    assert account.asked == [Terms()] * 20


def test_what_is_not_used_in_time_is_given_back_and_less_is_asked_for() -> None:
    account, lease = Account(), Lease(RATES)
    for number in range(8):
        account.take(lease, 10, AT + number / 1_000)
    assert account.asked[-1] == Terms(0, 0, 4, 40)
    account.take(lease, 10, AT + 1.5 * LEASE_SECONDS)
    assert account.asked[-1] == Terms(back=3, back_bytes=30, ahead=1, ahead_bytes=10)
    assert account.requests == 1_000 - 9 - 1
    account.take(lease, 10, AT + 1.6 * LEASE_SECONDS)
    account.take(lease, 10, AT + 9 * LEASE_SECONDS)
    assert account.asked[-1] == Terms(), "that was long ago"


def test_a_larger_body_is_asked_about() -> None:
    account, lease = Account(), Lease(RATES)
    for size in (10, 10, 11):
        account.take(lease, size, AT)
    assert account.asked == [Terms(), Terms(0, 0, 1, 10), Terms(back=1, back_bytes=10, ahead=1, ahead_bytes=11)]


def test_what_is_asked_for_is_twice_what_was_used() -> None:
    account, lease = Account(), Lease(RATES)
    for size in (10, 10, 9, 10, 10, 10, 4_000):
        account.take(lease, size, AT)
    assert account.asked[2:] == [Terms(0, 1, 2, 18), Terms(1, 8, 2, 20), Terms(2, 20, 1, 4_000)]


def test_what_a_refusal_did_not_take_back_is_given_back_later_and_not_used() -> None:
    account, lease = Account(), Lease(RATES)
    for _ in range(2):
        account.take(lease, 10, AT)
    account.is_refusing = True
    assert not account.take(lease, 11, AT)
    assert not account.take(lease, 10, AT)
    account.is_refusing = False
    account.take(lease, 10, AT)
    assert account.asked[-3:] == [Terms(1, 10, 1, 11), Terms(1, 10, 0, 0), Terms(1, 10, 0, 0)]


def test_nothing_is_given_back_whose_question_may_have_arrived() -> None:
    account, lease = Account(), Lease(RATES)
    for _ in range(2):
        account.take(lease, 10, AT)
    assert lease.terms(11, AT) == Terms(1, 10, 1, 11)
    assert lease.terms(11, AT) == Terms(0, 0, 1, 11)
    assert not lease.spend(1, AT)


@pytest.mark.parametrize(("seconds", "back"), [(3_580, 1), (3_600, 0), (90_000, 0)])
def test_nothing_of_one_day_is_given_back_to_the_next(seconds: float, back: int) -> None:
    account, lease = Account(), Lease(RATES)
    for _ in range(2):
        account.take(lease, 10, AT)
    account.take(lease, 10, AT + seconds)
    assert account.asked[-1].back == back


def test_clients_are_told_what_is_left_with_what_is_held() -> None:
    account, lease = Account(), Lease(RATES)
    left = []
    for _ in range(12):
        account.take(lease, 10, AT)
        left.append(lease.balances())
    assert [balances[1] for balances in left] == list(range(999, 987, -1))
    assert [balances[4] for balances in left] == list(range(99_990, 99_870, -10))
    assert left[-1] == (0, 988, 120, 0, 99_880, 12, 0, left[-1][7], DAY_MS)


def steps() -> st.SearchStrategy[list[tuple[float, int, bool]]]:
    pause = st.one_of(st.floats(0, 0.01), st.floats(0, 1))
    return st.lists(st.tuples(pause, st.integers(0, 300), st.booleans()), max_size=200)


@given(steps())
def test_what_is_admitted_is_charged_and_what_is_held_is_bounded(sent: list[tuple[float, int, bool]]) -> None:
    account, lease, now = Account(requests=0, size=0), Lease(RATES), AT
    count = size = 0
    for pause, body_bytes, is_refusing in sent:
        now += pause
        account.is_refusing = is_refusing
        if account.take(lease, body_bytes, now):
            count, size = count + 1, size + body_bytes
        held, held_bytes = -account.requests - count, -account.size - size
        assert 0 <= held <= MAX_REQUESTS
        assert held_bytes >= 0
    account.is_refusing = False
    account.take(lease, 0, now + 2 * LEASE_SECONDS)
    account.take(lease, 0, now + 4 * LEASE_SECONDS)
    assert -account.requests - count - 2 == account.asked[-1].ahead <= MAX_REQUESTS


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 4_000)), max_size=200))
def test_what_is_held_is_at_most_twice_what_was_sent_lately(sent: list[tuple[float, int]]) -> None:
    account, lease, now = Account(requests=0, size=0), Lease(RATES), AT
    taken: list[tuple[float, int]] = []
    for pause, body_bytes in sent:
        now += pause
        account.take(lease, body_bytes, now)
        taken.append((now, body_bytes))
        lately = [size for moment, size in taken if moment > now - 3 * LEASE_SECONDS]
        assert -account.requests - len(taken) <= 2 * len(lately)
        assert -account.size - sum(size for _, size in taken) <= 2 * sum(lately)


@given(st.floats(20, 2_000))
def test_a_steady_rate_is_asked_about_seldom(rate: float) -> None:
    account, lease = Account(), Lease(RATES)
    for number in range(int(10 * rate)):
        account.take(lease, 10, AT + number / rate)
    assert len(account.asked) <= 0.75 * 10 * rate
    assert len(account.asked) <= 100 + 0.02 * 10 * rate
