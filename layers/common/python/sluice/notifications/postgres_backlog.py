"""How far sending is behind, for metrics: readers see no messages, but may ask this."""

from dataclasses import dataclass
from datetime import datetime

from sluice.runtime.postgres import Database


@dataclass(frozen=True, slots=True)
class Backlog:
    """Messages that have not arrived and are not given up, and how old the oldest is."""

    pending: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class PostgresBacklog:
    """Of all applications."""

    database: Database

    def read(self, now: datetime) -> Backlog:
        """Raises Unavailable, ContractError."""
        with self.database.transaction() as cursor:
            cursor.execute("SELECT * FROM notification_backlog()")
            ((pending, oldest_at),) = cursor.fetchall()
        return Backlog(pending, max(0.0, (now - oldest_at).total_seconds()) if oldest_at else 0.0)
