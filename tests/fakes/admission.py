"""Limits."""

import math
from dataclasses import dataclass, field

from fakes.clock import ManualClock
from sluice.admission.model import DAY_SECONDS, Balance, Rates, Standing, certain_seconds, check_size, judge
from sluice.applications.model import KeyRecord
from sluice.errors import Unavailable


@dataclass
class _Account:
    at: float
    requests: float
    size: float
    day: int = 0
    day_bytes: int = 0


@dataclass
class MemoryAdmission:
    """Admission."""

    clock: ManualClock = field(default_factory=ManualClock)
    rates: Rates = field(default_factory=lambda: Rates(1_000_000, 10**9, 10**12, 1))
    is_down: bool = False
    _accounts: dict[int, _Account] = field(default_factory=dict)
    _refused: dict[int, tuple[float, float, Rates, list[Balance]]] = field(default_factory=dict)

    def admit(self, key: KeyRecord, body_bytes: int) -> Standing:
        rates = self.rates.over(key.limits)
        check_size(rates, body_bytes)
        if self.is_down:
            raise Unavailable("queue_unavailable", "down")
        account = self._refilled(key, rates)
        now, before = self.clock().timestamp(), (account.requests, account.size, account.day_bytes)
        is_violated = (
            account.requests < 1,
            account.size <= 0,
            account.day_bytes + body_bytes > rates.bytes_per_day,
        )
        if not any(is_violated):
            account.requests -= 1
            account.size -= body_bytes
            account.day_bytes += body_bytes
        burst, midnight = rates.burst_seconds, (now // DAY_SECONDS + 1) * DAY_SECONDS - now
        remaining = (account.requests, account.size, rates.bytes_per_day - account.day_bytes)
        refused = (
            math.ceil((1 - before[0]) / rates.requests_per_second * 1000),
            math.floor(-before[1] / rates.bytes_per_second * 1000) + 1,
            math.ceil(midnight * 1000),
        )
        whole = (
            burst - account.requests / rates.requests_per_second,
            burst - account.size / rates.bytes_per_second,
            midnight,
        )
        balances = [
            Balance(
                policy,
                bad,
                max(0, math.floor(left)),
                wait_ms if bad else math.ceil(refill * 1000),
            )
            for policy, bad, left, wait_ms, refill in zip(
                rates.policies(), is_violated, remaining, refused, whole, strict=True
            )
        ]
        if seconds := certain_seconds(balances):
            self._refused[key.application_id] = (now, now + seconds, rates, balances)
        return judge(key, balances)

    def recall(self, key: KeyRecord) -> None:
        now = self.clock().timestamp()
        at, until, rates, balances = self._refused.get(key.application_id, (0.0, 0.0, None, []))
        if now < until and rates == self.rates.over(key.limits):
            judge(key, (balance.after(now - at) for balance in balances))

    def refund(self, key: KeyRecord, body_bytes: int) -> None:
        self._accounts[key.application_id].day_bytes -= body_bytes

    def _refilled(self, key: KeyRecord, rates: Rates) -> _Account:
        now = self.clock().timestamp()
        requests, size = rates.requests_per_second * rates.burst_seconds, rates.bytes_per_second * rates.burst_seconds
        account = self._accounts.setdefault(key.application_id, _Account(now, requests, size))
        elapsed, account.at = now - account.at, now
        account.requests = min(requests, account.requests + elapsed * rates.requests_per_second)
        account.size = min(size, account.size + elapsed * rates.bytes_per_second)
        if account.day != now // DAY_SECONDS:
            account.day, account.day_bytes = int(now // DAY_SECONDS), 0
        return account
