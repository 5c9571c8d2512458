"""When to try again, and after how long."""

from dataclasses import dataclass

# Refusals that mean "later": too many requests, and the gateway's or the function's passing failures.
RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """At most `attempts` tries; the pause doubles from `first_seconds`, and is never above `longest_seconds`."""

    attempts: int
    first_seconds: float = 0.25
    longest_seconds: float = 15.0

    def pause_seconds(self, attempt: int, retry_after: str | None) -> float | None:
        """Seconds to wait after try number `attempt` (1, 2, ...) has failed, None to give up.

        retry_after: the answer's Retry-After header. Seconds are followed; a date, which no part of the platform
        sends, counts as absent.
        """
        if attempt >= self.attempts:
            return None
        asked = float(retry_after) if retry_after and retry_after.strip().isdecimal() else None
        wanted = self.first_seconds * 2 ** (attempt - 1) if asked is None else asked
        return min(wanted, self.longest_seconds)
