"""Anomalies under the reader's row security."""

import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extras import RealDictCursor

from sluice.anomalies.document import Row
from sluice.anomalies.query import AnomalyQuery
from sluice.anomalies.rates import RateDetector
from sluice.anomalies.series import BUCKET, Series, bucket_of
from sluice.runtime.postgres import Database, show_applications

_SECONDS = 10
_BEFORE, _AFTER = timedelta(hours=6), timedelta(hours=1)  # that are shown beside an anomaly
_MOST_POINTS = 144

_ANOMALY = """
SELECT anomaly_id, application_id, kind, level, template_ids, onset, opened_at, last_seen, closed_at, window_from,
       window_until, baseline_from, baseline_until, score, observed, expected, sentence, query, version, samples,
       is_corrected, is_muted, feedback, lead
FROM anomalies WHERE application_id = ANY (%(visible)s)"""
_LIST = f"""{_ANOMALY}
  AND onset < %(until)s AND last_seen >= %(since)s AND score >= %(min_score)s AND (%(muted)s OR NOT is_muted)
  AND (cardinality(%(kinds)s::text[]) = 0 OR kind = ANY (%(kinds)s))
  AND (%(status)s = 'all' OR (closed_at IS NULL) = (%(status)s = 'open'))
  AND (%(onset)s::timestamptz IS NULL OR (onset, anomaly_id) < (%(onset)s, %(id)s))
ORDER BY onset DESC, anomaly_id DESC LIMIT %(limit)s"""
_FIND = f"{_ANOMALY} AND anomaly_id = %(id)s"
_TEXTS = "SELECT template_id, coalesce(name, text) FROM templates WHERE template_id = ANY (%s)"
_OBSERVED = """
SELECT date_bin(%(width)s, event_minute, %(since)s), sum(record_count)::bigint FROM template_counts
WHERE application_id = %(application)s AND event_minute >= %(since)s AND event_minute < %(until)s
  AND (%(level)s = 0 OR level = %(level)s)
  AND (%(template)s = 0 OR template_id = ANY (template_family(%(template)s))
       OR (template_id = 0 AND template_key IN (
           SELECT template_key FROM template_keys WHERE template_id = ANY (template_family(%(template)s)))))
GROUP BY 1"""
_STATE = "SELECT state FROM anomaly_states WHERE application_id = %s AND state_key = %s"


class PostgresAnomalies:
    """Anomalies of the applications in ``visible``. Methods raise Unavailable."""

    def __init__(self, database: Database, visible: Collection[int]) -> None:
        self._database, self._visible = database, list(visible)

    def page(self, query: AnomalyQuery) -> Sequence[Row]:
        """One more than the limit, if there are more."""
        cursor = query.cursor
        values = {
            "visible": self._visible,
            "since": query.since,
            "until": query.until,
            "min_score": query.min_score,
            "muted": query.shows_muted,
            "kinds": [kind.value for kind in query.kinds],
            "status": query.status,
            "onset": cursor and cursor.onset,
            "id": cursor and cursor.anomaly_id,
            "limit": query.limit + 1,
        }
        return self._rows(_LIST, values)

    def find(self, anomaly_id: int) -> Row | None:
        """One of them."""
        return next(iter(self._rows(_FIND, {"visible": self._visible, "id": anomaly_id})), None)

    def texts(self, template_ids: Collection[int]) -> dict[int, str]:
        """Of templates."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_TEXTS, (list(template_ids),))
            return dict(open_cursor.fetchall())

    def points(self, anomaly: Row, series: Series) -> list[tuple[datetime, int, float]]:
        """The rate around the anomaly, and what was expected: (start, observed, expected) of intervals of equal length.

        What was expected has the rhythm that is known now, at the level of the anomaly's own expectation. A share of
        sessions is no rate: there is nothing to show."""
        if series.reason:
            return []
        since, until = bucket_of(anomaly["onset"] - _BEFORE), anomaly["last_seen"] + _AFTER
        width = BUCKET * max(1, -((since - until) // (BUCKET * _MOST_POINTS)))
        values = {
            "application": anomaly["application_id"],
            "since": since,
            "until": until,
            "width": width,
            "level": series.level,
            "template": series.template_id,
        }
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{_SECONDS}s",))
            open_cursor.execute(_OBSERVED, values)
            observed = dict(open_cursor.fetchall())
            open_cursor.execute(_STATE, (anomaly["application_id"], series.key))
            states = [json.loads(zlib.decompress(state)) for (state,) in open_cursor.fetchall()]
        detector = RateDetector.from_state(states[0]) if states else None
        starts = [since + width * number for number in range(-((since - until) // width))]
        factor = _level(anomaly, detector)
        return [
            (start, observed.get(start, 0), factor * sum(map(_usual(detector), _buckets(start, start + width))))
            for start in starts
        ]

    def _rows(self, sql: str, values: Mapping[str, Any]) -> Sequence[Row]:
        with self._database.transaction() as open_cursor:
            open_cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{_SECONDS}s",))
            show_applications(open_cursor, self._visible)
            with open_cursor.connection.cursor(cursor_factory=RealDictCursor) as named:
                named.execute(sql, values)
                return named.fetchall()


def _usual(detector: RateDetector | None) -> Callable[[datetime], float]:
    return detector.expected if detector else lambda _: 1.0


def _level(anomaly: Row, detector: RateDetector | None) -> float:
    """What the known rhythm is to be multiplied with."""
    buckets = (anomaly["window_until"] - anomaly["window_from"]) / BUCKET
    first = bucket_of(anomaly["window_from"])
    usual = sum(map(_usual(detector), _buckets(first, first + BUCKET * max(1, round(buckets)))))
    return anomaly["expected"] / usual if usual else 0.0


def _buckets(since: datetime, until: datetime) -> list[datetime]:
    return [since + BUCKET * number for number in range((until - since) // BUCKET)]
