"""The use cases of who judges anomalies, or wants to know what would have been found."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sluice.anomalies.backtest import MAX_RANGE, Backtest, advance
from sluice.anomalies.document import document, row_of
from sluice.anomalies.feedback import Feedback
from sluice.anomalies.ports import Census, SessionLogs
from sluice.anomalies.postgres_people import PostgresPeople, unknown_backtest
from sluice.anomalies.query import parse_anomaly_id
from sluice.applications.model import KeyRecord
from sluice.applications.parse import refuse_others
from sluice.applications.ports import Clock
from sluice.errors import RejectedInput
from sluice.search.parse import parse_moment

if TYPE_CHECKING:
    from functions.alerts.sight import Sight
else:
    from sight import Sight

BACKTEST_SECONDS = 12  # of a request; a day that has begun is finished
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Each takes the key of who asks."""

    sight: Sight
    census: Census
    logs: SessionLogs
    open_people: Callable[[Collection[int] | None], PostgresPeople]
    now: Clock
    clock: Callable[[], float] = time.monotonic

    def judge(self, key: KeyRecord, text: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """Says that an anomaly was useful or noise, or takes that back."""
        anomaly_id = parse_anomaly_id(text)
        refuse_others(members, "verdict")
        verdict = members.get("verdict")
        if "verdict" not in members or verdict not in (None, *Feedback):
            raise RejectedInput("invalid_verdict", f"verdict must be null or one of {', '.join(Feedback)}")
        self._people(key).judge(anomaly_id, verdict and Feedback(verdict), key_id=key.key_id)
        return {"id": anomaly_id, "feedback": verdict}

    def backtest(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """Begins a backtest, or goes on with the one of this ``id``, for some seconds."""
        refuse_others(members, "id", "application", "since", "until")
        people = self._people(key)
        backtest_id = _backtest_id(members["id"]) if "id" in members else self._begin(key, members, people)
        ends_at = self.clock() + BACKTEST_SECONDS
        backtest = advance(self.census, self.logs, people.find(backtest_id), lambda: self.clock() < ends_at)
        people.keep(backtest_id, backtest)
        return self._shown(key, backtest_id, backtest)

    def _begin(self, key: KeyRecord, members: Mapping[str, Any], people: PostgresPeople) -> UUID:
        application_id = self.sight.application_id(key, members.get("application"))
        now = self.now()
        since, until = (_moment(name, members.get(name), now) for name in ("since", "until"))
        until = min(until or now, now).replace(second=0, microsecond=0)
        if since is None or not timedelta() < until - since <= MAX_RANGE:
            raise RejectedInput("invalid_since", f"since must be within {MAX_RANGE.days} days before until")
        return UUID(people.begin(application_id, since.replace(second=0, microsecond=0), until))

    def _shown(self, key: KeyRecord, backtest_id: UUID, backtest: Backtest) -> dict[str, Any]:
        templates = self.census.templates(backtest.application_id)
        texts = {template_id: template.text for template_id, template in templates.items()}
        known = self.sight.applications(self.sight.visible(key))
        name = next(name for name, (application_id, _) in known.items() if application_id == backtest.application_id)
        return {
            "id": str(backtest_id),
            "application": name,
            "since": backtest.since,
            "until": backtest.until,
            "judged_until": max(backtest.judged_until, backtest.since),
            "progress": round(backtest.progress, 3),
            "is_complete": backtest.is_complete,
            "anomalies": [document(row_of(anomaly), name, texts) for anomaly in backtest.found],
        }

    def _people(self, key: KeyRecord) -> PostgresPeople:
        return self.open_people(self.sight.visible(key))


def _moment(name: str, value: Any, now: datetime) -> datetime | None:
    if value is not None and not isinstance(value, str):
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return parse_moment(name, value, now)


def _backtest_id(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        raise unknown_backtest(value) from error
