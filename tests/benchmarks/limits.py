"""The physical limits: what Postgres and Redis take when nothing is done but to hand them finished bytes."""

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import redis

from benchmarks.logs import make_logs, rows, usual_rows

REFERENCE = Path(__file__).parent / "reference.sql"
PIPELINE = 1_000
STREAM = "raw:logs"


class RawCopy:
    """COPY of finished text through PgBouncer, on one connection, into the partition of the reference table."""

    def __init__(self, url: str, count: int = 50_000) -> None:
        self.count = count
        self._connection = psycopg2.connect(url)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(REFERENCE.read_text())
        self._block = usual_rows(count)

    def rate(self, seed: int) -> float:
        """Rows per second, from an empty table to the end of COMMIT."""
        text = io.BytesIO(self._block.rows(seed, datetime.now(UTC)))
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("TRUNCATE reference")
        started = time.perf_counter()
        with self._connection, self._connection.cursor() as cursor:
            cursor.copy_expert("COPY reference_1_today FROM STDIN", text)
        return self.count / (time.perf_counter() - started)


def raw_xadd_rate(client: redis.Redis, seed: int, count: int = 20_000) -> float:
    """Logs per second: finished entries of one log each, XADDed in pipelines of a thousand."""
    lines = rows(make_logs(PIPELINE)).rows(seed, datetime.now(UTC)).splitlines()
    started = time.perf_counter()
    for _ in range(count // PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for line in lines:
            pipeline.xadd(STREAM, {"log": line})
        pipeline.execute()
    seconds = time.perf_counter() - started
    client.delete(STREAM)
    return count / seconds
