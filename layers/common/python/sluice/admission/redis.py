"""Admission in Redis, by Redis's own clock: one hash per application on the application's shard."""

from functools import cache
from importlib.resources import files

import redis

from sluice.admission.model import Balance, Rates, Standing, check_size, judge
from sluice.applications.model import KeyRecord
from sluice.runtime.redis import translated


class RedisAdmission:
    """See Admission."""

    def __init__(self, client: redis.Redis, *, shard_count: int, rates: Rates) -> None:
        self._admit = client.register_script(_script())
        self._client, self._shard_count, self._rates = client, shard_count, rates

    def admit(self, key: KeyRecord, body_bytes: int) -> Standing:
        """See Admission.admit."""
        rates = self._rates.over(key.limits)
        check_size(rates, body_bytes)
        arguments = [rates.requests_per_second, rates.bytes_per_second, rates.bytes_per_day, rates.burst_seconds]
        with translated():
            answers = self._admit(keys=[self._name(key)], args=[*arguments, body_bytes])
        return judge(
            key,
            (
                Balance(policy, violated == 1, remaining, reset_seconds)
                for policy, (violated, remaining, reset_seconds) in zip(rates.policies(), answers, strict=True)
            ),
        )

    def refund(self, key: KeyRecord, body_bytes: int) -> None:
        """See Admission.refund."""
        try:
            self._client.hincrby(self._name(key), "day_bytes", -body_bytes)
        except redis.RedisError:
            return

    def _name(self, key: KeyRecord) -> str:
        return f"admission:{{{key.application_id % self._shard_count}}}:{key.application_id}"


@cache
def _script() -> str:
    return files("sluice.admission").joinpath("scripts", "admit.lua").read_text()
