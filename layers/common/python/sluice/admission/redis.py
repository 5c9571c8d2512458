"""Admission in Redis, by Redis's own clock: one hash per application on the application's shard."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import redis

from sluice.admission.lease import Terms
from sluice.admission.model import Balance, Rates, Standing, Usage, certain_seconds, check_size, judge, read_usage
from sluice.applications.model import KeyRecord, Limits
from sluice.runtime.redis import BLANK, Script, translated

_FIELDS = ("at", "requests", "bytes", "day", "day_bytes", "day_requests")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What Redis said to a question of the moment ``at``, and until when that holds for certain."""

    rates: Rates
    at: float
    until: float
    balances: Sequence[Balance]


class Question(NamedTuple):
    """An admission asked for at the moment ``asked_at``."""

    rates: Rates
    asked_at: float
    keys: list[str]
    arguments: list[Any]


class RedisAdmission:
    """See Admission."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        shard_count: int,
        rates: Rates,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admit = Script(client, _script())
        self._client, self._shard_count, self._rates, self.clock = client, shard_count, rates, clock
        self._refusals: dict[int, _Refusal] = {}  # by application id

    def admit(self, key: KeyRecord, body_bytes: int) -> Standing:
        """See Admission.admit."""
        question = self.question(key, body_bytes)
        with translated():
            answer = self._admit(question.keys, question.arguments)
        return self.standing(key, question, list(map(int, answer.split())))

    def question(self, key: KeyRecord, body_bytes: int) -> "Question":
        """What ``admit`` asks Redis. Raises RejectedInput ``body_too_large``."""
        rates, asked_at = self._rates.over(key.limits), self.clock()
        check_size(rates, body_bytes)
        return Question(rates, asked_at, [self._name(key)], [*rates, b"%d" % body_bytes, *Terms()])

    def single_question(self, key: KeyRecord) -> "Question":
        """The same with a BLANK for the bytes and for each of the terms of a lease."""
        rates = self._rates.over(key.limits)
        return Question(rates, self.clock(), [self._name(key)], [*rates, BLANK, *[BLANK] * len(Terms._fields)])

    def standing(self, key: KeyRecord, question: "Question", numbers: Sequence[int]) -> Standing:
        """What Redis's answer says. Raises Throttled."""
        balances = [
            Balance(policy, violated == 1, remaining, reset_ms)
            for policy, violated, remaining, reset_ms in zip(
                question.rates.policies(), numbers[0:9:3], numbers[1:9:3], numbers[2:9:3], strict=True
            )
        ]
        if seconds := certain_seconds(balances):
            until = question.asked_at + seconds
            self._refusals[key.application_id] = _Refusal(question.rates, question.asked_at, until, balances)
        return judge(key, balances)

    def recall(self, key: KeyRecord) -> None:
        """See Admission.recall."""
        refusal, now = self._refusals.get(key.application_id), self.clock()
        if refusal is None:
            return
        if now >= refusal.until or refusal.rates != self._rates.over(key.limits):
            del self._refusals[key.application_id]
        else:
            judge(key, (balance.after(now - refusal.at) for balance in refusal.balances))

    def refund(self, key: KeyRecord, body_bytes: int) -> None:
        """See Admission.refund."""
        try:
            self._client.hincrby(self._name(key), "day_bytes", -body_bytes)
        except redis.RedisError:
            return

    def _name(self, key: KeyRecord) -> str:
        return _name(key.application_id, self._shard_count)


class RedisUsageReader:
    """See UsageReader; ``rates`` are those of RedisAdmission."""

    def __init__(self, client: redis.Redis, *, shard_count: int, rates: Rates) -> None:
        self._client, self._shard_count, self._rates = client, shard_count, rates

    def used(self, limits: Mapping[int, Limits]) -> dict[int, Usage]:
        """See UsageReader.used."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.time()
        for application_id in limits:
            pipeline.hmget(_name(application_id, self._shard_count), _FIELDS)
        with translated():
            (seconds, microseconds), *states = pipeline.execute()
        return {
            application_id: read_usage(state, self._rates.over(own), seconds + microseconds / 1_000_000)
            for (application_id, own), state in zip(limits.items(), states, strict=True)
        }


def _name(application_id: int, shard_count: int) -> str:
    return f"admission:{{{application_id % shard_count}}}:{application_id}"


def _script() -> str:
    return files("sluice.admission").joinpath("scripts", "admit.lua").read_text()
