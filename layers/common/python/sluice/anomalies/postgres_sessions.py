"""Logs by session, and the states of session monitors, in Postgres."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

from sluice.anomalies.assembly import Piece
from sluice.anomalies.ports import Conflict, SessionProgress
from sluice.anomalies.series import Episode
from sluice.runtime.postgres import Database, show_applications

# Of what names a session, in the order in which they are chosen.
_FIELDS = {"trace_id": "trace_id", "session_id": "session_id", "metadata.request_id": "metadata->>'request_id'"}
_LOOKED_AT = 1_000  # logs
_FIELD = f"""
SELECT {", ".join(f"count({sql})" for sql in _FIELDS.values())} FROM (
    SELECT trace_id, session_id, metadata FROM log_entries
    WHERE application_id = %s AND received_at >= %s AND received_at < %s
    ORDER BY received_at DESC LIMIT {_LOOKED_AT}) latest"""
_PIECES = """
SELECT {name}, hashtext({name}) & 65535, coalesce(template_id, (
           SELECT k.template_id FROM template_keys k
           WHERE k.application_id = l.application_id AND k.template_key = l.template_key), 0) AS template_id,
       max(level), count(*), extract(epoch FROM min(event_at))::float, extract(epoch FROM max(event_at))::float
FROM log_entries l WHERE application_id = %(application)s
  AND received_at >= %(received_from)s AND received_at < %(received_until)s {events}
  AND {name} IS NOT NULL AND hashtext({name}) & %(mask)s = 0
GROUP BY 1, 2, 3 LIMIT %(limit)s"""
_EVENTS = "AND event_at >= %(since)s AND event_at < %(until)s"
_PROGRESS = """
SELECT application_id, coalesce(generation, 0), read_until
FROM template_sets JOIN applications a USING (application_id) LEFT JOIN session_watches USING (application_id)
WHERE a.status = 'active' ORDER BY read_until NULLS FIRST, application_id"""
_LOAD = "SELECT generation, read_until, state, episodes FROM session_watches WHERE application_id = %s"
_EPISODES = "SELECT episodes FROM session_watches WHERE application_id = %s"
_SAVE = """
INSERT INTO session_watches AS known (application_id, generation, read_until, state, episodes)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (application_id) DO UPDATE SET generation = excluded.generation, read_until = excluded.read_until,
    state = excluded.state, episodes = excluded.episodes
WHERE known.generation = excluded.generation - 1 RETURNING generation"""


class PostgresSessionLogs:
    """See SessionLogs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def field(self, application_id: int, received: tuple[datetime, datetime]) -> str:
        """See SessionLogs.field."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            open_cursor.execute(_FIELD, (application_id, *received))
            (counts,) = open_cursor.fetchall()
        return next((name for name, count in zip(_FIELDS, counts, strict=True) if count), "")

    def pieces(
        self,
        application_id: int,
        field: str,
        received: tuple[datetime | None, datetime],
        events: tuple[datetime, datetime] | None,
        share: int,
        limit: int,
    ) -> Sequence[Piece]:
        """See SessionLogs.pieces."""
        since, until = events or (None, None)
        values = {
            "application": application_id,
            "received_from": received[0] or "-infinity",
            "received_until": received[1],
            "since": since,
            "until": until,
            "mask": (1 << share) - 1,
            "limit": limit,
        }
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            open_cursor.execute(_PIECES.format(name=_FIELDS[field], events=_EVENTS if events else ""), values)
            return [Piece(*row) for row in open_cursor.fetchall()]


class PostgresSessionStore:
    """See SessionStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def progress(self) -> Sequence[SessionProgress]:
        """See SessionStore.progress."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            open_cursor.execute(_PROGRESS)
            return [SessionProgress(*row) for row in open_cursor.fetchall()]

    def load(self, application_id: int) -> tuple[SessionProgress, Mapping[str, Any] | None, Sequence[Episode]]:
        """See SessionStore.load."""
        rows = self._rows(_LOAD, application_id)
        if not rows:
            return SessionProgress(application_id), None, []
        ((generation, read_until, state, episodes),) = rows
        progress = SessionProgress(application_id, generation, read_until)
        return progress, json.loads(zlib.decompress(state)), list(map(Episode.from_state, episodes))

    def save(self, progress: SessionProgress, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """See SessionStore.save."""
        application_id = progress.application_id
        compressed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 1)
        told = Json([episode.to_state() for episode in episodes])
        saved = application_id, progress.generation + 1, progress.read_until, compressed, told
        if not self._rows(_SAVE, *saved):
            raise Conflict("watched_elsewhere", f"application {application_id} is watched by another run")

    def episodes(self, application_id: int) -> Sequence[Episode]:
        """See SessionStore.episodes."""
        return [Episode.from_state(state) for (states,) in self._rows(_EPISODES, application_id) for state in states]

    def _rows(self, sql: str, application_id: int, *values: Any) -> list[Any]:
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            open_cursor.execute(sql, (application_id, *values))
            return open_cursor.fetchall()
