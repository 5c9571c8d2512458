"""The use case of testing a rule against what is stored, before it is switched on."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sluice.alerts.backtest import MAX_WINDOWS, Replay, Resume, begin, read_resume, replay, resume_document
from sluice.alerts.model import Episode, Kind, Spec
from sluice.alerts.parse import members_of, read_rule, read_spec
from sluice.alerts.ports import LogSource
from sluice.alerts.postgres_rules import PostgresRules
from sluice.alerts.watermark import SETTLING
from sluice.alerts.wording import group_of
from sluice.applications.model import KeyRecord
from sluice.applications.parse import refuse_others
from sluice.applications.ports import Clock
from sluice.errors import RejectedInput
from sluice.search.parse import parse_moment

if TYPE_CHECKING:
    from functions.alerts.rules import rule_id_of
    from functions.alerts.sight import Sight, cursor_text, read_cursor
else:
    from rules import rule_id_of
    from sight import Sight, cursor_text, read_cursor

SECONDS = 12  # after which an answer ends, and the next request goes on
_DEFAULT_SPAN = timedelta(days=1)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Backtest:
    """``open_source``: by id and name of an application."""

    sight: Sight
    open_rules: Callable[[Collection[int] | None], PostgresRules]
    open_source: Callable[[int, str], LogSource]
    now: Clock
    monotonic: Callable[[], float] = time.monotonic

    def test(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """When ``rule``, members or an id, would have fired since ``since`` until ``until``. Of a long time an answer
        has a part, and ``next_cursor``: the same request with it as ``cursor`` has the next one."""
        refuse_others(members, "rule", "since", "until", "cursor", "application")
        application_id, application, spec = self._rule(key, members)
        now = self.now() - SETTLING
        until = _moment("until", members.get("until"), now) or now
        place = read_cursor(_text("cursor", members.get("cursor")), lambda *values: _place(spec, *values))
        if place is None:
            place = begin(spec, _moment("since", members.get("since"), now) or until - _DEFAULT_SPAN, until), until
        ends_at = self.monotonic() + SECONDS
        source = self.open_source(application_id, application)
        found = replay(spec, source, *place, has_time=lambda: self.monotonic() < ends_at)
        return _document(spec, found, place[1])

    def _rule(self, key: KeyRecord, members: Mapping[str, Any]) -> tuple[int, str, Spec]:
        asked = members.get("rule")
        if isinstance(asked, dict):
            application = members.get("application", asked.get("application"))
            application_id, name = self.sight.application(key, application)
            spec = read_rule(asked, "application", needs_name=False).spec
        elif type(asked) is int:
            known = self.open_rules(self.sight.visible(key)).find(rule_id_of(str(asked)))
            application_id, name = known["application_id"], known["application"]
            spec = read_spec(known["spec"])
        else:
            raise RejectedInput("invalid_rule", "rule must be the members of a rule, or the id of one")
        if spec.kind is Kind.ANOMALY:
            detail = "what is unusual depends on what was learnt until then: ask POST /api/anomalies/backtest"
            raise RejectedInput("invalid_kind", detail)
        return application_id, name, spec


def _document(spec: Spec, found: Replay, until: datetime) -> dict[str, Any]:
    resume = found.resume
    return {
        "rule": members_of(spec),
        "would_fire": [_episode(spec, episode) for episode in sorted(found.episodes, key=_order)],
        "timeline": [{"until": mark.until, "observed": mark.value, "fires": mark.fires} for mark in found.marks],
        "evaluations": found.window_count,
        "evaluated_until": found.evaluated_until,
        "truncated": resume is not None,
        "groups_cut": found.is_cut,
        "next_cursor": cursor_text(until.isoformat(), *resume_document(resume)) if resume else None,
    }


def _episode(spec: Spec, episode: Episode) -> dict[str, Any]:
    return {
        "from": episode.opened_at,
        "until": episode.resolved_at,
        "observed": episode.worst.value,
        "threshold": episode.worst.limit,
        "group": dict(group_of(spec, episode.group)),
    }


def _order(episode: Episode) -> tuple[str, tuple[str, ...]]:
    return (episode.opened_at.isoformat() if episode.opened_at else "", episode.group)


def _place(spec: Spec, until: Any, at: Any, groups: Any) -> tuple[Resume, datetime]:
    """Where a test goes on, and where it ends; what a client made up raises ValueError or TypeError."""
    resume, end = read_resume(at, groups), datetime.fromisoformat(until)
    if end.tzinfo is None or not resume.at < end <= resume.at + MAX_WINDOWS * spec.step:
        raise ValueError(until)
    for group in resume.states:
        group_of(spec, group)
    return resume, end


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return value


def _moment(name: str, value: Any, now: datetime) -> datetime | None:
    moment = parse_moment(name, _text(name, value), now)
    if moment is not None and not _EARLIEST <= moment <= now:
        raise RejectedInput(f"invalid_{name}", f"{name} must not lie in the future, or before {_EARLIEST.year}")
    return moment
