"""States of detectors and anomalies in Postgres."""

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor
from psycopg2.extras import Json, execute_values

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.document import row_of
from sluice.anomalies.feedback import Feedback, Judged
from sluice.anomalies.ports import Conflict, Progress, Saved
from sluice.anomalies.series import Episode
from sluice.anomalies.watch import REMEMBERED
from sluice.runtime.postgres import Database, show_applications

_PROGRESS = """
SELECT application_id, coalesce(generation, 0), settled_until, watched_until
FROM template_sets JOIN applications a USING (application_id) LEFT JOIN anomaly_watches USING (application_id)
WHERE a.status = 'active' {}
ORDER BY watched_until NULLS FIRST, application_id"""
_STATES = "SELECT state_key, state FROM anomaly_states WHERE application_id = %s"
_ANOMALIES = """
SELECT opened_at, members, template_ids, coalesce(level, 0), sentence, version, samples, is_corrected, is_muted,
closed_at FROM anomalies WHERE application_id = %s AND (closed_at IS NULL OR last_seen >= %s) ORDER BY founded,
founder"""
_SAVE_PROGRESS = """
INSERT INTO anomaly_watches AS known (application_id, generation, settled_until, watched_until) VALUES (%s, %s, %s, %s)
ON CONFLICT (application_id) DO UPDATE SET generation = excluded.generation, settled_until = excluded.settled_until,
    watched_until = excluded.watched_until
WHERE known.generation = excluded.generation - 1 RETURNING generation"""
_SAVE_STATES = """
INSERT INTO anomaly_states (application_id, state_key, state) VALUES %s
ON CONFLICT (application_id, state_key) DO UPDATE SET state = excluded.state"""
_DROP_STATES = "DELETE FROM anomaly_states WHERE application_id = %s AND state_key <> ALL (%s)"
_FOUNDED = ("application_id", "founder", "founded", "opened_at")  # never change
_CHANGING = (
    *("lead", "kind", "level", "template_ids", "onset", "last_seen", "closed_at", "window_from", "window_until"),
    *("baseline_from", "baseline_until", "score", "observed", "expected", "sentence", "query", "version", "samples"),
    *("members", "is_corrected", "is_muted"),
)
_SAVE_ANOMALIES = f"""
INSERT INTO anomalies ({", ".join(_FOUNDED + _CHANGING)}) VALUES %s
ON CONFLICT (application_id, founder, founded)
DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}, changed_at = now()"""
_JUDGED = """
SELECT feedback, feedback_at, score, members FROM anomalies
WHERE application_id = %s AND feedback IS NOT NULL AND feedback_at >= %s"""


class PostgresWatchStore:
    """See WatchStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def progress(self) -> Sequence[Progress]:
        """See WatchStore.progress."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            return _progress(open_cursor, None)

    def load(self, application_id: int) -> Saved:
        """See WatchStore.load."""
        with self._database.transaction() as open_cursor:
            # One snapshot: anomalies must be those of the progress.
            open_cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            show_applications(open_cursor, [application_id])
            (progress,) = _progress(open_cursor, application_id) or [Progress(application_id)]
            if progress.settled_until is None or progress.watched_until is None:
                return Saved(progress)
            open_cursor.execute(_STATES, (application_id,))
            states = {key: json.loads(zlib.decompress(state)) for key, state in open_cursor.fetchall()}
            open_cursor.execute(_ANOMALIES, (application_id, progress.watched_until - REMEMBERED))
            return Saved(progress, states, [_anomaly(application_id, *row) for row in open_cursor.fetchall()])

    def save(self, progress: Progress, states: Mapping[str, Any] | None, anomalies: Sequence[Anomaly]) -> None:
        """See WatchStore.save."""
        application_id = progress.application_id
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            saved = application_id, progress.generation + 1, progress.settled_until, progress.watched_until
            open_cursor.execute(_SAVE_PROGRESS, saved)
            if open_cursor.fetchone() is None:
                raise Conflict("watched_elsewhere", f"application {application_id} is watched by another run")
            if states is not None:
                rows = [(application_id, key, _compressed(state)) for key, state in sorted(states.items())]
                execute_values(open_cursor, _SAVE_STATES, rows)
                open_cursor.execute(_DROP_STATES, (application_id, list(states)))
            if anomalies:
                execute_values(open_cursor, _SAVE_ANOMALIES, [_values(anomaly) for anomaly in anomalies])

    def judged(self, application_id: int, since: datetime) -> Sequence[Judged]:
        """See WatchStore.judged."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, [application_id])
            open_cursor.execute(_JUDGED, (application_id, since))
            return [
                Judged(Feedback(verdict), at, score, frozenset(_subjects(members)))
                for verdict, at, score, members in open_cursor.fetchall()
            ]


def _progress(open_cursor: cursor, application_id: int | None) -> list[Progress]:
    open_cursor.execute("SET LOCAL timezone TO 'UTC'")
    if application_id is None:
        open_cursor.execute(_PROGRESS.format(""))
    else:
        open_cursor.execute(_PROGRESS.format("AND application_id = %s"), (application_id,))
    return [Progress(*row) for row in open_cursor.fetchall()]


def _compressed(state: Any) -> bytes:
    return zlib.compress(json.dumps(state, separators=(",", ":")).encode())


def _anomaly(
    application_id: int, opened_at: datetime, members: list[dict[str, Any]], template_ids: list[int], *rest: Any
) -> Anomaly:
    level, sentence, version, samples, is_corrected, is_muted, closed_at = rest
    return Anomaly(
        application_id,
        opened_at,
        tuple(map(Episode.from_state, members)),
        tuple(template_ids),
        level,
        sentence,
        version,
        tuple(samples),
        is_corrected,
        is_muted,
        closed_at,
    )


def _values(anomaly: Anomaly) -> list[Any]:
    row = row_of(anomaly)
    return [Json(row[name]) if name == "members" else row[name] for name in _FOUNDED + _CHANGING]


def _subjects(members: list[dict[str, Any]]) -> list[tuple[Any, bool]]:
    episodes = map(Episode.from_state, members)
    return [(episode.series, episode.is_above) for episode in episodes]
