"""PgBouncer's pools, from its own console (SHOW POOLS, https://www.pgbouncer.org/usage.html)."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from sluice.errors import Unavailable
from sluice.metrics.model import Sample

_CONSOLE = "pgbouncer"
_STATES = ("active", "idle", "used", "tested", "login")
_CONNECT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class PgBouncerPools:
    """``url`` is that of any database behind it, with a user that it lists under stats_users."""

    url: str

    def read(self) -> list[Sample]:
        """Connections by state, waiting clients and the longest wait, of all pools together. Raises Unavailable."""
        pools = [pool for pool in self._show() if pool["database"] != _CONSOLE]
        connections = [
            Sample("pool_connections", sum(pool[f"sv_{state}"] for pool in pools), {"state": state})
            for state in _STATES
        ]
        longest = max((pool["maxwait"] + pool["maxwait_us"] / 1_000_000 for pool in pools), default=0.0)
        waiting = sum(pool["cl_waiting"] for pool in pools)
        return [*connections, Sample("clients_waiting", waiting), Sample("pool_wait", longest)]

    def _show(self) -> list[dict[str, Any]]:
        try:
            with closing(
                psycopg2.connect(make_dsn(self.url, dbname=_CONSOLE), connect_timeout=_CONNECT_SECONDS)
            ) as live:
                live.autocommit = True  # the console knows no transactions
                with live.cursor() as cursor:
                    cursor.execute("SHOW POOLS")
                    names = [column.name for column in cursor.description or ()]
                    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except psycopg2.Error as error:
            raise Unavailable("pgbouncer_unavailable", str(error).strip()) from error
