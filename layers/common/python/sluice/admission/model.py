"""The policies that hold for an application, where it stands, and what clients are told of it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sluice.applications.model import KeyRecord, Limits
from sluice.errors import RejectedInput, SluiceError, Throttled, Unavailable

DAY_SECONDS = 86_400
CERTAIN_SECONDS = 1.0  # a failover that loses the state fills the buckets
_CODES = {  # of a refusal, by policy
    "requests": "request_rate_exceeded",
    "bytes": "byte_rate_exceeded",
    "daily-bytes": "daily_quota_exceeded",
}


class Policy(NamedTuple):
    """So many units in any window of that length."""

    name: str
    quota: int
    unit: str  # "requests" or "content-bytes"
    window_seconds: int

    @property
    def field(self) -> str:
        """As a member of the field RateLimit-Policy; requests are that field's default unit."""
        unit = "" if self.unit == "requests" else f';qu="{self.unit}"'
        return f'"{self.name}";q={self.quota}{unit};w={self.window_seconds}'


class Rates(NamedTuple):
    """What holds where nothing is set for an application. Buckets hold what ``burst_seconds`` bring."""

    requests_per_second: int
    bytes_per_second: int
    bytes_per_day: int
    burst_seconds: int

    def over(self, limits: Limits) -> "Rates":
        """The same, but for what ``limits`` sets."""
        return Rates(
            limits.requests_per_second or self.requests_per_second,
            limits.bytes_per_second or self.bytes_per_second,
            limits.bytes_per_day or self.bytes_per_day,
            self.burst_seconds,
        )

    @lru_cache(1024)  # noqa: B019  # a method of values
    def policies(self) -> tuple[Policy, ...]:
        """Requests, bytes and bytes per day."""
        burst = self.burst_seconds
        return (
            Policy("requests", self.requests_per_second * burst, "requests", burst),
            Policy("bytes", self.bytes_per_second * burst, "content-bytes", burst),
            Policy("daily-bytes", self.bytes_per_day, "content-bytes", DAY_SECONDS),
        )


class Balance(NamedTuple):
    """One policy's state after a request."""

    policy: Policy
    is_violated: bool
    remaining: int
    reset_ms: int  # violated: until this request would be admitted; else until the quota is whole again

    @property
    def reset_seconds(self) -> int:
        """As clients are told: whole seconds, rounded up."""
        return math.ceil(self.reset_ms / 1000)

    def after(self, seconds: float) -> "Balance":
        """The same, so much later, if nothing else happened."""
        return self._replace(reset_ms=max(0, self.reset_ms - int(seconds * 1000)))


class Standing(NamedTuple):
    """Where an application stands in all of its policies."""

    balances: tuple[Balance, ...]

    def headers(self, retry_after_seconds: int | None = None) -> dict[str, str]:
        """RateLimit-Policy and RateLimit (structured fields). Where the answer has a Retry-After, RateLimit leaves out
        what resets later: a client must find no time there that contradicts it."""
        shown = [
            f'"{balance.policy.name}";r={balance.remaining};t={balance.reset_seconds}'
            for balance in self.balances
            if retry_after_seconds is None or balance.reset_seconds <= retry_after_seconds
        ]
        fields = {"RateLimit-Policy": _policy_field(tuple(balance.policy for balance in self.balances))}
        return fields | ({"RateLimit": ", ".join(shown)} if shown else {})


def plain_headers(rates: Rates, answer: Sequence[int]) -> dict[str, str]:
    """``Standing.headers`` of what Redis answered (see admit.lua), where no policy is violated."""
    _, requests, request_ms, _, size, size_ms, _, day, day_ms, *_ = answer
    return {
        "RateLimit-Policy": _policy_field(rates.policies()),
        "RateLimit": f'"requests";r={requests};t={-(-request_ms // 1000)}, '
        f'"bytes";r={size};t={-(-size_ms // 1000)}, "daily-bytes";r={day};t={-(-day_ms // 1000)}',
    }


@lru_cache(1024)
def _policy_field(policies: tuple[Policy, ...]) -> str:
    return ", ".join(policy.field for policy in policies)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an application has used and has left, at one moment."""

    bytes_today: int
    requests_today: int  # admitted ones
    requests_left: int
    bytes_left: int  # below 0: a debt that waiting pays


def read_usage(state: Sequence[bytes | None], rates: Rates, now: float) -> Usage:
    """From the fields at, requests, bytes, day, day_bytes and day_requests of an application's state (see admit.lua);
    ``now`` is the time of Redis in seconds."""
    at, requests, size, day, day_bytes, day_requests = (float(value or 0) for value in state)
    is_today = day == now // DAY_SECONDS
    seconds = now - at if at <= now else now
    burst = rates.burst_seconds
    return Usage(
        bytes_today=max(0, int(day_bytes)) if is_today else 0,
        requests_today=int(day_requests) if is_today else 0,
        requests_left=math.floor(
            min(rates.requests_per_second * burst, requests + seconds * rates.requests_per_second)
        ),
        bytes_left=math.floor(min(rates.bytes_per_second * burst, size + seconds * rates.bytes_per_second)),
    )


def check_size(rates: Rates, body_bytes: int) -> None:
    """Raises RejectedInput ``body_too_large`` (413) for a body that no day's quota has room for."""
    if body_bytes > rates.bytes_per_day:
        detail = f"a body of {body_bytes} bytes is over the application's {rates.bytes_per_day} bytes per day"
        raise RejectedInput("body_too_large", detail, status=413).violating("daily-bytes")


def judge(key: KeyRecord, balances: Iterable[Balance]) -> Standing:
    """The standing. Raises Throttled, with headers, if a policy is violated; its code is that of the last to pass."""
    standing = Standing(tuple(balances))
    violated = [balance for balance in standing.balances if balance.is_violated]
    if not violated:
        return standing
    last = max(violated, key=lambda balance: balance.reset_seconds)
    quota = f"{last.policy.quota} {last.policy.unit.replace('-', ' ')} per {last.policy.window_seconds} s"
    detail = f"application {key.application!r} may send {quota}: slow down and retry"
    error = Throttled(_CODES[last.policy.name], detail, retry_after_seconds=last.reset_seconds)
    error.headers = standing.headers(last.reset_seconds)
    raise error.violating(*(balance.policy.name for balance in violated))


def certain_seconds(balances: Iterable[Balance]) -> float:
    """How long any request is certain to be refused, whatever its body, unless another process gives back what was
    charged ahead for it; at most CERTAIN_SECONDS."""
    violated = {balance.policy.name: balance.reset_ms for balance in balances if balance.is_violated}
    if not violated or "daily-bytes" in violated:  # a smaller body may fit into the day, and a refund may come
        return 0
    return min(CERTAIN_SECONDS, (max(violated.values()) - 1) / 1000)


@contextmanager
def announced(standing: Standing) -> Iterator[None]:
    """What fails in this block is answered with the headers of ``standing``."""
    try:
        yield
    except SluiceError as error:
        wait_seconds = error.retry_after_seconds if isinstance(error, Throttled | Unavailable) else None
        error.headers = standing.headers(wait_seconds)
        raise
