"""Requests charged ahead: Redis is asked about one in many, and the limits hold as if it were about each. Pure.

A process that asks again within LEASE_SECONDS has the next request charged as well, then twice what it used of that,
and so on. What it does not use in that time it gives back with its next question. So nothing is admitted that was not
charged, and what a process holds is at most twice what it sent within twice that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sluice.admission.model import Rates

LEASE_SECONDS = 0.2
MAX_REQUESTS = 64
_MIDNIGHT_SECONDS = 12  # before it nothing is given back any more: the question may take so long, into the next day


class Terms(NamedTuple):
    """What a question gives back and what it asks for, besides the request that it is about."""

    back: int = 0
    back_bytes: int = 0
    ahead: int = 0
    ahead_bytes: int = 0


@dataclass(slots=True)
class Lease:
    """What a process holds for an application. Moments are in seconds since 1970."""

    rates: Rates
    _requests: int = 0  # charged and not used yet
    _bytes: int = 0
    _granted: tuple[int, int] = (0, 0)  # what these were at first
    _until: float = 0
    _day_ends: float = 0
    _left: tuple[int, int, int, int] = (0, 0, 0, 0)  # in Redis: requests, bytes, bytes of the day, ms of the day

    def spend(self, body_bytes: int, now: float) -> bool:
        """Whether a request with so many bytes is paid for already; it is now."""
        if self._requests and body_bytes <= self._bytes and now < self._until:
            self._requests -= 1
            self._bytes -= body_bytes
            return True
        return False

    def terms(self, body_bytes: int, now: float) -> Terms:
        """For the question about a request that was not paid for. The lease is empty from here on, for nobody knows
        whether a question arrives."""
        used, used_bytes = self._granted[0] - self._requests, self._granted[1] - self._bytes
        ahead, ahead_bytes = 0, 0
        if used and now < self._until + LEASE_SECONDS:
            ahead = min(MAX_REQUESTS, 2 * used if now < self._until else used)
            ahead_bytes = used_bytes * ahead // used
        elif now < self._until:
            ahead, ahead_bytes = 1, body_bytes
        back = (self._requests, self._bytes) if now < self._day_ends else (0, 0)
        self._hold(0, 0)
        return Terms(*back, ahead, ahead_bytes)

    def renew(self, answer: Sequence[int], terms: Terms, now: float) -> None:
        """Takes what admit.lua answered at about the moment ``now``."""
        if answer[0] or answer[3] or answer[6]:  # refused, so nothing was given back
            self._hold(terms.back, terms.back_bytes)
            self._until = 0
            return
        self._hold(answer[9], terms.ahead_bytes if answer[9] else 0)
        self._until, self._day_ends = now + LEASE_SECONDS, now + answer[8] / 1_000 - _MIDNIGHT_SECONDS
        self._left = answer[1] - self._requests, answer[4] - self._bytes, answer[7] - self._bytes, answer[8]

    def _hold(self, requests: int, size: int) -> None:
        self._requests, self._bytes = self._granted = requests, size

    def balances(self) -> Sequence[int]:
        """As in admit.lua's answer, while the lease lasts."""
        requests, size, day, day_ms = self._left
        requests, size, day = requests + self._requests, size + self._bytes, day + self._bytes
        request_rate, byte_rate, _, burst = self.rates
        request_ms = burst * 1_000 - requests * 1_000 // request_rate
        return 0, requests, request_ms, 0, size, burst * 1_000 - size * 1_000 // byte_rate, 0, day, day_ms
