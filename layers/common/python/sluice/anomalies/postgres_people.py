"""What people do with anomalies: judge them, and ask what would have been found."""

import json
import zlib
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sluice.anomalies.backtest import Backtest
from sluice.anomalies.feedback import Feedback
from sluice.anomalies.query import unknown_anomaly
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database, show_applications

_JUDGE = """
UPDATE anomalies SET feedback = %(verdict)s,
    feedback_by = CASE WHEN %(verdict)s::text IS NOT NULL THEN %(key)s END,
    feedback_at = CASE WHEN %(verdict)s::text IS NOT NULL THEN now() END
WHERE anomaly_id = %(id)s RETURNING anomaly_id"""
_FORGET = "DELETE FROM anomaly_backtests WHERE changed_at < now() - interval '1 day'"
_BEGIN = """
INSERT INTO anomaly_backtests (application_id, since, until) VALUES (%s, %s, %s) RETURNING backtest_id::text"""
_FIND = "SELECT application_id, since, until, state FROM anomaly_backtests WHERE backtest_id = %s"
_KEEP = "UPDATE anomaly_backtests SET state = %s, changed_at = now() WHERE backtest_id = %s"


class PostgresPeople:
    """For who sees the applications in ``visible`` (None: all). Methods raise Unavailable."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def judge(self, anomaly_id: int, verdict: Feedback | None, *, key_id: str) -> None:
        """Notes what somebody says of an anomaly, or takes it back. Raises RejectedInput ``unknown_anomaly``."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_JUDGE, {"verdict": verdict and verdict.value, "key": key_id, "id": anomaly_id})
            if open_cursor.fetchone() is None:
                raise unknown_anomaly(anomaly_id)

    def begin(self, application_id: int, since: datetime, until: datetime) -> str:
        """The id of a new backtest. Those of yesterday are forgotten."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_FORGET)
            open_cursor.execute(_BEGIN, (application_id, since, until))
            ((backtest_id,),) = open_cursor.fetchall()
            return str(backtest_id)

    def find(self, backtest_id: UUID) -> Backtest:
        """A backtest as it was kept. Raises RejectedInput ``unknown_backtest``."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute("SET LOCAL timezone TO 'UTC'")
            open_cursor.execute(_FIND, (str(backtest_id),))
            row = open_cursor.fetchone()
        if row is None:
            raise unknown_backtest(backtest_id)
        application_id, since, until, state = row
        return Backtest(application_id, since, until, state and json.loads(zlib.decompress(state)))

    def keep(self, backtest_id: UUID, backtest: Backtest) -> None:
        """Keeps how far it is."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute(_KEEP, (zlib.compress(json.dumps(backtest.state).encode()), str(backtest_id)))


def unknown_backtest(backtest_id: object) -> RejectedInput:
    """What is said of a backtest that does not exist, is a day old, or somebody else's."""
    return RejectedInput("unknown_backtest", f"this API key sees no backtest {backtest_id}", status=404)
