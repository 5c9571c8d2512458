"""Applies migrations over a direct connection (a pooler in transaction mode cannot hold the advisory lock)."""

from datetime import date, timedelta
from importlib.resources import files

from psycopg2.extensions import cursor

from sluice.runtime.postgres import Database
from sluice.schema.model import PHASES, Migration, Phase, pending_migrations, read_migrations

PARTITION_DAYS_AHEAD = 7
_LOCK = 7_583_243_001  # any number that nobody else locks
_SAMPLES_LOCK_MILLISECONDS = 3_000
_SAMPLED = """
SELECT DISTINCT relation.oid::regclass::text
FROM pg_stats JOIN pg_class relation ON relation.oid = to_regclass(format('%I.%I', schemaname, tablename))
WHERE schemaname = 'public' AND NOT relispartition"""
_BOOKKEEPING = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class SchemaOwner:
    """The schema, seen by its owner. Methods raise Unavailable or ContractError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def migrate(self, phases: tuple[Phase, ...] = PHASES) -> list[str]:
        """Applies what is pending of ``phases``, each file in a transaction of its own; returns the file names.

        Callers at the same time wait for each other. What was applied before a failure stays.
        """
        try:
            pending = [item for item in self._pending() if item.phase in phases]
            for migration in pending:
                with self._database.transaction() as open_cursor:
                    _apply(open_cursor, migration)
            return [migration.name for migration in pending]
        finally:
            self._database.close()  # which gives the lock back

    def version(self) -> str | None:
        """The file name of the newest applied migration."""
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT name FROM schema_migrations ORDER BY version DESC LIMIT 1")
            row = open_cursor.fetchone()
        return row[0] if row else None

    def create_partitions(self, today: date) -> list[str]:
        """Creates every retention class's leaf partitions for today and the days ahead; returns the new ones' names."""
        days = [today + timedelta(days=ahead) for ahead in range(PARTITION_DAYS_AHEAD + 1)]
        with self._database.transaction() as open_cursor:
            before = _leaves(open_cursor)
            open_cursor.execute(
                "SELECT ensure_partition(retention_class, day) FROM retention_classes, unnest(%s::date[]) AS day",
                (days,),
            )
            return sorted(_leaves(open_cursor) - before)

    def forget_samples(self) -> None:
        """Makes the planner's statistics anew, and then their table: samples of values in them outlive the rows. Of
        partitions that were written anew there are none. Who plans a query while the table is written waits, some
        hundredths of a second. Raises Unavailable, too, while somebody holds it."""
        try:
            with self._database.transaction() as open_cursor:
                open_cursor.connection.autocommit = True  # VACUUM is no part of a transaction
                open_cursor.execute(f"SET lock_timeout = {_SAMPLES_LOCK_MILLISECONDS}")
                open_cursor.execute(_SAMPLED)
                for (table,) in open_cursor.fetchall():
                    open_cursor.execute(f"ANALYZE {table}")
                open_cursor.execute("VACUUM (FULL) pg_statistic")  # which the owner of the database may
        finally:
            self._database.close()

    def _pending(self) -> list[Migration]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            open_cursor.execute(_BOOKKEEPING)
            open_cursor.execute("SELECT version, checksum FROM schema_migrations")
            return pending_migrations(shipped_migrations(), dict(open_cursor.fetchall()))


def shipped_migrations() -> list[Migration]:
    """The migrations that come with this release, in order."""
    folder = files("sluice.schema").joinpath("migrations")
    return read_migrations({file.name: file.read_text() for file in folder.iterdir() if file.name.endswith(".sql")})


def _apply(open_cursor: cursor, migration: Migration) -> None:
    open_cursor.execute(migration.sql)
    open_cursor.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        (migration.version, migration.name, migration.checksum),
    )


def _leaves(open_cursor: cursor) -> set[str]:
    open_cursor.execute("SELECT relid::regclass::text FROM pg_partition_tree('log_rows') WHERE isleaf")
    return {name for (name,) in open_cursor.fetchall()}
