"""The use cases of rules."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sluice.alerts.evaluate import LATEST
from sluice.alerts.model import Spec
from sluice.alerts.parse import members_of, read_rule, read_spec
from sluice.alerts.postgres_rules import PostgresRules, unknown_rule
from sluice.alerts.windows import last_end
from sluice.applications.model import KeyRecord
from sluice.applications.ports import Clock
from sluice.errors import RejectedInput
from sluice.search.parse import check_names, parse_limit, parse_moment

if TYPE_CHECKING:
    from functions.alerts.sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor
else:
    from sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor

_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Rules:
    """Each takes the key of who asks."""

    sight: Sight
    open_rules: Callable[[Collection[int] | None], PostgresRules]
    now: Clock

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of rules, the oldest first."""
        check_names(parameters, "application", "limit", "cursor")
        limit = parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT)
        after = read_cursor(parameters.get("cursor"), _whole) or 0
        names = self.sight.named(key, parameters.get("application"))
        found = self._rules(key).page(names, after, limit + 1)
        shown = found[:limit]
        more = cursor_text(shown[-1]["rule_id"]) if len(found) > limit else None
        return {"rules": [document(rule) for rule in shown], "next_cursor": more}

    def create(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """A new rule, of ``application`` or the key's own; judged from ``since`` on, by default from the next
        window."""
        form = read_rule(members, "application", "since")
        application_id = self.sight.application_id(key, members.get("application"))
        begun_at = self._begun_at(form.spec, members.get("since"))
        return {"rule": document(self._rules(key).create(application_id, form, key.key_id, begun_at))}

    def show(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """One rule."""
        return {"rule": document(self._rules(key).find(rule_id_of(text)))}

    def change(self, key: KeyRecord, text: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """The rule with these members; what is not named stays. Another kind begins with its own defaults."""
        rule_id = rule_id_of(text)
        if not members:
            raise RejectedInput("empty_change", "give what is to change")
        rules = self._rules(key)
        known = rules.find(rule_id)
        before = {"name": known["name"], "severity": known["severity"], "labels": known["labels"]}
        before["enabled"] = known["is_enabled"]
        said = members_of(read_spec(known["spec"]))
        if members.get("kind", said["kind"]) == said["kind"]:
            before |= said
        form = read_rule(before | dict(members))
        return {"rule": document(rules.change(rule_id, form, key.key_id, known["version"]))}

    def delete(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """Forgets the rule; answers with what it was."""
        rule_id = rule_id_of(text)
        rules = self._rules(key)
        known = rules.find(rule_id)
        rules.delete(rule_id)
        return {"deleted": document(known)}

    def _begun_at(self, spec: Spec, since: Any) -> datetime | None:
        now = self.now()
        if since is not None and not isinstance(since, str):
            raise RejectedInput("invalid_since", "since must be text")
        moment = parse_moment("since", since, now)
        if moment is not None and not now - LATEST <= moment <= now:
            raise RejectedInput("invalid_since", "since must lie within the last day")
        return last_end(moment, spec.step) if moment else None

    def _rules(self, key: KeyRecord) -> PostgresRules:
        return self.open_rules(self.sight.visible(key))


def document(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as JSON."""
    failure = {"code": rule["failure_code"], "detail": rule["failure_detail"], "since": rule["failed_at"]}
    return {
        "id": rule["rule_id"],
        "application": rule["application"],
        "name": rule["name"],
        **members_of(read_spec(rule["spec"])),
        "severity": rule["severity"],
        "labels": rule["labels"],
        "enabled": rule["is_enabled"],
        "origin": "default" if rule["default_key"] else "user",
        "state": rule["state"],
        "last_evaluated_at": rule["evaluated_until"],
        "groups_cut": rule["groups_cut"],
        "failure": failure if failure["code"] else None,
        "version": rule["version"],
        "created_at": rule["created_at"],
        "changed_at": rule["changed_at"],
        "changed_by": rule["changed_by"],
    }


def rule_id_of(text: str) -> int:
    """Raises RejectedInput ``unknown_rule``: no rule has such an id."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise unknown_rule()
    return int(text)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(value)
    return value
