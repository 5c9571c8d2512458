"""Rules as people keep them, under the row security of who asks."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor

from sluice.alerts.model import MAX_RULES, EventKind
from sluice.alerts.parse import RuleForm, members_of, read_spec
from sluice.alerts.payload import Told, payload
from sluice.alerts.postgres_states import add_default_rules, write_told
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database, show_applications

_RULES = """
SELECT rule_id, application_id, a.name AS application, r.name, spec, severity, labels, is_enabled, default_key, version,
changed_by,
       r.created_at, changed_at, evaluated_until, groups_cut, failure_code, failure_detail, failed_at,
       coalesce((SELECT min(s.status) FROM alert_states s WHERE s.rule_id = r.rule_id), 'ok') AS state
FROM alert_rules r JOIN applications a USING (application_id)"""
_CREATE = """
INSERT INTO alert_rules (application_id, name, kind, spec, severity, labels, is_enabled, changed_by, evaluated_until,
                         begun_at, late_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce((SELECT max(late_id) FROM late_minutes), 0)) ON CONFLICT
(application_id, name) DO NOTHING RETURNING rule_id"""
_CHANGE = """
UPDATE alert_rules SET name = %s, kind = %s, spec = %s, severity = %s, labels = %s, is_enabled = %s, changed_by = %s,
       changed_at = now(), version = version + 1 WHERE rule_id = %s"""
# It begins anew with the next window.
_BEGIN_ANEW = """
UPDATE alert_rules SET evaluated_until = NULL, begun_at = NULL, late_id = coalesce((SELECT max(late_id) FROM
late_minutes), late_id),
       groups_cut = false, failure_code = NULL, failure_detail = NULL, failed_at = NULL WHERE rule_id = %s"""
_FIRING = """
SELECT incident_id::text, i.application_id, rule_id, fingerprint, severity, labels, group_values, rule_name, kind,
       title, query, window_from, window_until, observed, threshold, opened_at, is_withdrawn, a.name AS application
FROM incidents i JOIN applications a USING (application_id) WHERE rule_id = %s AND i.status = 'firing'
ORDER BY opened_at, incident_id"""


class PostgresRules:
    """The rules of the applications in ``visible`` (None: of all). Methods raise Unavailable, and RejectedInput
    ``unknown_rule`` (404) where there is no such rule to be seen."""

    def __init__(self, database: Database, visible: Collection[int] | None) -> None:
        self._database, self._visible = database, visible

    def page(self, applications: Sequence[str], after: int, limit: int) -> list[dict[str, Any]]:
        """Rules with ids above ``after``, of these applications or of all that are seen; missing default rules are made
        on the way."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            add_default_rules(open_cursor)
            named = "AND a.name = ANY (%s)" if applications else ""
            sql = f"{_RULES} WHERE rule_id > %s {named} ORDER BY rule_id LIMIT %s"
            values = (after, list(applications), limit) if applications else (after, limit)
            return _rows(open_cursor, sql, *values)

    def find(self, rule_id: int) -> dict[str, Any]:
        """One rule."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            return _rule(open_cursor, rule_id)

    def create(
        self, application_id: int, form: RuleForm, key_id: str, begun_at: datetime | None = None
    ) -> dict[str, Any]:
        """A new rule; its first window begins at ``begun_at``, by default with the next run. Raises RejectedInput
        ``rule_exists``, ``too_many_rules`` (409)."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            open_cursor.execute("SELECT count(*) FROM alert_rules WHERE application_id = %s", (application_id,))
            ((count,),) = open_cursor.fetchall()
            if count >= MAX_RULES:
                detail = f"an application has at most {MAX_RULES} rules: delete one, or group by a field"
                raise RejectedInput("too_many_rules", detail, status=409)
            open_cursor.execute(_CREATE, (application_id, *_columns(form), key_id, begun_at, begun_at))
            created = open_cursor.fetchone()
            if created is None:
                raise _name_taken(form.name)
            return _rule(open_cursor, created[0])

    def change(self, rule_id: int, form: RuleForm, key_id: str, version: int) -> dict[str, Any]:
        """The rule as ``form`` says. One that says something else now, or is off, ends its incidents. Raises
        RejectedInput ``rule_exists``, and ``rule_changed`` (409) if it has another version by now."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            before = _rule(open_cursor, rule_id, "FOR UPDATE OF r")
            if before["version"] != version:
                raise RejectedInput("rule_changed", "somebody changed this rule meanwhile: look again", status=409)
            taken = "SELECT FROM alert_rules r JOIN alert_rules o USING (application_id)"
            open_cursor.execute(
                f"{taken} WHERE o.rule_id = %s AND r.rule_id <> o.rule_id AND r.name = %s", (rule_id, form.name)
            )
            if open_cursor.rowcount:
                raise _name_taken(form.name)
            open_cursor.execute(_CHANGE, (*_columns(form), key_id, rule_id))
            if form.is_enabled != before["is_enabled"] or form.spec != read_spec(before["spec"]):
                _end(open_cursor, rule_id, "the rule was changed" if form.is_enabled else "the rule was switched off")
                open_cursor.execute(_BEGIN_ANEW, (rule_id,))
            return _rule(open_cursor, rule_id)

    def delete(self, rule_id: int) -> None:
        """Ends its incidents, which stay listed, and forgets the rule. Raises RejectedInput ``default_rule`` (409)."""
        with self._database.transaction() as open_cursor:
            show_applications(open_cursor, self._visible)
            if _rule(open_cursor, rule_id, "FOR UPDATE OF r")["default_key"]:
                detail = "a default rule cannot be deleted, but switched off: set enabled to false"
                raise RejectedInput("default_rule", detail, status=409)
            _end(open_cursor, rule_id, "the rule was deleted")
            open_cursor.execute("DELETE FROM alert_rules WHERE rule_id = %s", (rule_id,))


def _columns(form: RuleForm) -> tuple[Any, ...]:
    spec, labels = json.dumps(members_of(form.spec)), json.dumps(form.labels)
    return form.name, form.spec.kind.value, spec, form.severity.value, labels, form.is_enabled


def _end(open_cursor: cursor, rule_id: int, reason: str) -> None:
    """Resolves what fires, for a reason that is none of the logs'."""
    open_cursor.execute("SELECT now()")
    ((now,),) = open_cursor.fetchall()
    for incident in _rows(open_cursor, _FIRING, rule_id):
        write_told(open_cursor, _ended(incident, reason, now))
    open_cursor.execute("DELETE FROM alert_states WHERE rule_id = %s", (rule_id,))


def _ended(incident: dict[str, Any], reason: str, now: datetime) -> Told:
    application, incident_id = incident.pop("application"), incident.pop("incident_id")
    said = {"status": "resolved", "resolved_at": now, "sentence": f"{application}: {reason}."}
    columns = incident | said
    told = payload(EventKind.RESOLVED, incident_id, application, columns)
    return Told(incident_id, False, columns, EventKind.RESOLVED, told)


def _rule(open_cursor: cursor, rule_id: int, lock: str = "") -> dict[str, Any]:
    rows = _rows(open_cursor, f"{_RULES} WHERE rule_id = %s {lock}", rule_id)
    if not rows:
        raise unknown_rule()
    return rows[0]


def unknown_rule() -> RejectedInput:
    """What is said of a rule that does not exist, or of somebody else."""
    return RejectedInput("unknown_rule", "this API key sees no such rule", status=404)


def _name_taken(name: str) -> RejectedInput:
    return RejectedInput("rule_exists", f"this application has a rule {name!r} already", status=409)


def _rows(open_cursor: cursor, sql: str, *values: Any) -> list[dict[str, Any]]:
    open_cursor.execute(sql, values)
    names = [column.name for column in open_cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in open_cursor.fetchall()]
