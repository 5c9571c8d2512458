"""Who changes an application's templates is alone."""

from psycopg2.extensions import cursor

_LOCK_SPACE = 7_583_243  # of advisory locks; the other half of the key is the application


def lock_templates(open_cursor: cursor, application_id: int) -> None:
    """Waits for whoever changes this application's templates; until the end of the transaction nobody else does."""
    open_cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, application_id))
