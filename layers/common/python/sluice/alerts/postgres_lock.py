"""One run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.runtime.postgres import Database

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('sluice.watch'))"


@contextmanager
def only_run(database: Database, seconds: float) -> Iterator[bool]:
    """Whether nobody else is inside, and nobody will be until the block ends. ``database`` is for this alone: its
    connection waits in a transaction that holds nothing but the lock, and goes back when the run dies, or after
    ``seconds``. Raises Unavailable."""
    with database.transaction() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", (f"{seconds}s",))
        cursor.execute(_LOCK)
        ((is_ours,),) = cursor.fetchall()
        yield is_ours
