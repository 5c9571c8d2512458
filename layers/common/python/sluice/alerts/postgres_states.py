"""What the evaluator keeps in Postgres."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.alerts.defaults import DEFAULT_RULES
from sluice.alerts.evaluate import LATEST
from sluice.alerts.model import Group, GroupState, Kind, Rule, Severity
from sluice.alerts.parse import members_of, read_spec
from sluice.alerts.payload import Told, fingerprint
from sluice.alerts.ports import Due, KnownIncident, Settled
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database, show_applications

_DEFAULTS = """
INSERT INTO alert_rules (application_id, default_key, name, kind, spec, severity)
SELECT application_id, made.* FROM applications, unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::text[])
    AS made (default_key, name, kind, spec, severity)
WHERE NOT EXISTS (SELECT FROM alert_rules r WHERE r.application_id = applications.application_id
                  AND r.default_key = made.default_key)
ON CONFLICT DO NOTHING"""

# Below the oldest running transaction nothing can be added any more.
_HORIZON = """
SELECT stored_xid::text, watermark, pg_snapshot_xmin(pg_current_snapshot())::text FROM watch_progress"""
_NOTE_LATE = """
WITH stored AS (
    SELECT application_id, date_trunc('minute', received_at) AS received_minute FROM ledger
    WHERE stored_xid >= %(from)s::xid8 AND stored_xid < %(horizon)s::xid8 GROUP BY 1, 2
    UNION
    SELECT application_id, date_trunc('minute', received_at) FROM late_records
    WHERE stored_xid >= %(from)s::xid8 AND stored_xid < %(horizon)s::xid8 GROUP BY 1, 2)
INSERT INTO late_minutes (application_id, event_minute)
SELECT DISTINCT application_id, event_minute FROM stored JOIN template_counts USING (application_id, received_minute)
WHERE event_minute < %(watermark)s AND event_minute >= %(watermark)s - %(latest)s"""
_PROGRESS = """
UPDATE watch_progress SET stored_xid = %s::xid8, watermark = greatest(watermark, %s)"""
# Those that every rule has looked at, or that are too old to matter.
_FORGET_LATE = """
DELETE FROM late_minutes m WHERE noted_at < now() - %s OR NOT EXISTS (
    SELECT FROM alert_rules r WHERE r.application_id = m.application_id AND r.is_enabled AND r.kind = ANY (%s)
    AND r.late_id < m.late_id)"""

_STEP = """make_interval(secs => least((spec->>'window_seconds')::int,
                                    greatest(60, (spec->>'window_seconds')::int / 60)))"""
_DUE = f"""
SELECT rule_id, application_id, a.name, r.name, spec, severity, labels, version, evaluated_until, begun_at, late_id
FROM alert_rules r JOIN applications a USING (application_id)
WHERE is_enabled AND a.status = 'active' AND r.kind = ANY (%(kinds)s)
  AND (attempted_at IS NULL OR attempted_at < %(began_at)s)
  AND (evaluated_until IS NULL OR evaluated_until + {_STEP} <= %(watermark)s
       OR EXISTS (SELECT FROM late_minutes m WHERE m.application_id = r.application_id AND m.late_id > r.late_id))
ORDER BY row_number() OVER (PARTITION BY application_id ORDER BY attempted_at NULLS FIRST, rule_id),
         attempted_at NULLS FIRST, rule_id
LIMIT %(limit)s"""
_LATE = """
SELECT r.rule_id, m.late_id, m.event_minute FROM alert_rules r JOIN late_minutes m
    ON m.application_id = r.application_id AND m.late_id > r.late_id WHERE rule_id = ANY (%s)"""
_STATES = "SELECT rule_id, group_values, since, status = 'firing' FROM alert_states WHERE rule_id = ANY (%s)"
_INCIDENTS = """
SELECT rule_id, incident_id::text, group_values, opened_at, resolved_at FROM incidents
WHERE rule_id = ANY (%s) AND NOT is_withdrawn AND (status = 'firing' OR resolved_at >= %s)"""

# Only where nobody else evaluated or changed the rule meanwhile.
_SETTLE = """
UPDATE alert_rules r SET evaluated_until = now_at.evaluated_until, late_id = now_at.late_id, attempted_at = %s,
       begun_at = coalesce(r.begun_at, now_at.evaluated_until), groups_cut = now_at.is_cut, failure_code = NULL,
       failure_detail = NULL, failed_at = NULL
FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::boolean[])
    AS now_at (rule_id, version, was_until, was_late_id, evaluated_until, late_id, is_cut)
WHERE r.rule_id = now_at.rule_id AND r.version = now_at.version AND r.late_id = now_at.was_late_id
  AND r.evaluated_until IS NOT DISTINCT FROM now_at.was_until AND r.is_enabled
RETURNING r.rule_id"""
_FAIL = """
UPDATE alert_rules SET attempted_at = %s, failure_code = %s, failure_detail = %s, failed_at = coalesce(failed_at, %s)
WHERE rule_id = %s AND version = %s"""
_FORGET_STATES = "DELETE FROM alert_states WHERE rule_id = ANY (%s)"
_KEEP_STATES = """
INSERT INTO alert_states (rule_id, fingerprint, group_values, status, since, incident_id)
SELECT rule_id, fingerprint, group_values, CASE WHEN is_firing THEN 'firing' ELSE 'pending' END, since,
       CASE WHEN is_firing THEN (SELECT incident_id FROM incidents i
                                 WHERE i.fingerprint = kept.fingerprint AND i.status = 'firing') END
FROM unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::timestamptz[], %s::boolean[])
    AS kept (rule_id, fingerprint, group_values, since, is_firing)"""
_EVENT = """
INSERT INTO alert_events (incident_id, application_id, kind, payload) VALUES (%s, %s, %s, %s)"""
_JSON_COLUMNS = ("labels", "group_values")
_MAX_DETAIL_CHARACTERS = 500


class PostgresRuleStates:
    """See RuleStates. ``kinds`` are those that are evaluated here."""

    def __init__(self, database: Database, kinds: Collection[Kind] = tuple(Kind)) -> None:
        self._database, self._kinds = database, [kind.value for kind in kinds]

    def create_defaults(self) -> int:
        """See RuleStates.create_defaults."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            return add_default_rules(open_cursor)

    def note_late(self, watermark: datetime) -> int:
        """See RuleStates.note_late."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            open_cursor.execute(_HORIZON)
            ((stored_xid, known_watermark, horizon),) = open_cursor.fetchall()
            found = 0
            if known_watermark is not None:
                span = {"from": stored_xid, "horizon": horizon, "watermark": known_watermark, "latest": LATEST}
                open_cursor.execute(_NOTE_LATE, span)
                found = open_cursor.rowcount
            open_cursor.execute(_PROGRESS, (horizon, watermark))
            open_cursor.execute(_FORGET_LATE, (LATEST, self._kinds))
            return found

    def due(self, watermark: datetime, began_at: datetime, limit: int) -> list[Due]:
        """See RuleStates.due."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            asked = {"kinds": self._kinds, "watermark": watermark, "began_at": began_at, "limit": limit}
            open_cursor.execute(_DUE, asked)
            rows = open_cursor.fetchall()
            rule_ids = [row[0] for row in rows]
            late = _by_rule(open_cursor, _LATE, rule_ids)
            states = _by_rule(open_cursor, _STATES, rule_ids)
            incidents = _by_rule(open_cursor, _INCIDENTS, rule_ids, watermark - 3 * LATEST)
        return [_due(row, late[row[0]], states[row[0]], incidents[row[0]]) for row in rows]

    def settle(self, settled: Sequence[Settled], at: datetime) -> set[int]:
        """See RuleStates.settle."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, None)
            kept = _settle(open_cursor, [one for one in settled if one.failure is None], at)
            for one in sorted((one for one in settled if one.failure), key=lambda one: one.due.rule.rule_id):
                _fail(open_cursor, one, at)
            if __debug__:
                crash_point("watch.before_commit")
        if __debug__:
            crash_point("watch.after_commit")
        return kept


def add_default_rules(open_cursor: cursor) -> int:
    """Gives the applications that the transaction sees their default rules; how many were made."""
    columns: list[list[str]] = [[], [], [], [], []]
    for key, form in DEFAULT_RULES.items():
        spec = json.dumps(members_of(form.spec))
        for column, value in zip(
            columns, (key, form.name, form.spec.kind.value, spec, form.severity.value), strict=True
        ):
            column.append(value)
    open_cursor.execute(_DEFAULTS, columns)
    return open_cursor.rowcount


def write_told(open_cursor: cursor, told: Told) -> None:
    """Writes the incident as it is now, and the event."""
    columns = {name: json.dumps(value) if name in _JSON_COLUMNS else value for name, value in told.columns.items()} | {
        "incident_id": told.incident_id
    }
    names = list(columns)
    if told.is_new:
        places = ", ".join(["%s"] * len(names))
        open_cursor.execute(f"INSERT INTO incidents ({', '.join(names)}) VALUES ({places})", list(columns.values()))
    else:
        # What it is called stays: messages of one thread have one title.
        changed = [name for name in names if name not in ("incident_id", "title", "fingerprint", "rule_id")]
        open_cursor.execute(
            f"UPDATE incidents SET {', '.join(f'{name} = %s' for name in changed)} WHERE incident_id = %s",
            [*(columns[name] for name in changed), told.incident_id],
        )
    event = (told.incident_id, told.columns["application_id"], told.kind.value, json.dumps(told.payload))
    open_cursor.execute(_EVENT, event)


def _settle(open_cursor: cursor, settled: Sequence[Settled], at: datetime) -> set[int]:
    """Keeps what came of the rules that are as they were, and returns which these are."""
    if not settled:
        return set()
    ordered = sorted(settled, key=lambda one: one.due.rule.rule_id)
    rows = [
        (
            one.due.rule.rule_id,
            one.due.rule.version,
            one.due.evaluated_until,
            one.due.late_id,
            one.outcome.evaluated_until,
            one.due.latest_id,
            one.outcome.is_cut,
        )
        for one in ordered
        if one.outcome
    ]
    open_cursor.execute(_SETTLE, [at, *map(list, zip(*rows, strict=True))])
    kept = {rule_id for (rule_id,) in open_cursor.fetchall()}
    ours = [one for one in ordered if one.due.rule.rule_id in kept]
    for told in (told for one in ours for told in one.told):
        write_told(open_cursor, told)
    changed = [one for one in ours if one.outcome and one.outcome.states != one.due.states]
    if changed:
        _keep_states(open_cursor, changed)
    return kept


def _keep_states(open_cursor: cursor, changed: Sequence[Settled]) -> None:
    open_cursor.execute(_FORGET_STATES, ([one.due.rule.rule_id for one in changed],))
    rows = [
        (
            one.due.rule.rule_id,
            fingerprint(one.due.rule.rule_id, group),
            json.dumps(list(group)),
            state.since,
            state.is_firing,
        )
        for one in changed
        if one.outcome
        for group, state in one.outcome.states.items()
    ]
    if rows:
        open_cursor.execute(_KEEP_STATES, list(map(list, zip(*rows, strict=True))))


def _fail(open_cursor: cursor, one: Settled, at: datetime) -> None:
    assert one.failure is not None
    code, detail = one.failure
    values = (at, code, detail[:_MAX_DETAIL_CHARACTERS], at, one.due.rule.rule_id, one.due.rule.version)
    open_cursor.execute(_FAIL, values)


def _by_rule(open_cursor: cursor, sql: str, *values: Any) -> Mapping[int, list[Any]]:
    open_cursor.execute(sql, values)
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for rule_id, *row in open_cursor.fetchall():
        found[rule_id].append(row)
    return found


def _due(row: Sequence[Any], late: list[Any], states: list[Any], incidents: list[Any]) -> Due:
    rule_id, application_id, application, name, spec, severity, labels, version, evaluated_until, begun_at, late_id = (
        row
    )
    rule = Rule(rule_id, application_id, application, name, read_spec(spec), Severity(severity), labels, version)
    return Due(
        rule,
        evaluated_until,
        begun_at,
        late_id,
        max((one for one, _ in late), default=late_id),
        tuple(sorted({minute for _, minute in late})),
        {_group(group): GroupState(since, is_firing) for group, since, is_firing in states},
        tuple(
            KnownIncident(incident_id, _group(group), opened_at, resolved_at)
            for incident_id, group, opened_at, resolved_at in incidents
        ),
    )


def _group(values: Sequence[str]) -> Group:
    return tuple(values)
