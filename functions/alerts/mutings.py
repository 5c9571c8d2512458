"""The use cases of silences and maintenance windows."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sluice.applications.model import KeyRecord
from sluice.applications.ports import Clock
from sluice.notifications.parse import read_silence, read_window
from sluice.notifications.postgres_mutings import PostgresMutings, unknown
from sluice.notifications.silences import WEEKDAYS
from sluice.search.parse import check_names, parse_choice, parse_limit

if TYPE_CHECKING:
    from functions.alerts.sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor
else:
    from sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor


@dataclass(frozen=True, slots=True)
class Mutings:
    """Each takes the key of who asks."""

    sight: Sight
    open_mutings: Callable[[Collection[int] | None], PostgresMutings]
    now: Clock

    def list_silences(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of silences that are not over, or of ``status=all``; the one that ends last first."""
        check_names(parameters, "application", "status", "limit", "cursor")
        limit = parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT)
        is_all = parse_choice("status", parameters.get("status"), ("current", "all")) == "all"
        names, now = self.sight.named(key, parameters.get("application")), self.now()
        after = read_cursor(parameters.get("cursor"), _place)
        found = self._mutings(key).silences(names, now, after, limit + 1, is_all=is_all)
        shown = found[:limit]
        more = cursor_text(shown[-1]["ends_at"].isoformat(), shown[-1]["silence_id"]) if len(found) > limit else None
        return {"silences": [silence_document(silence, now) for silence in shown], "next_cursor": more}

    def create_silence(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """A new silence of ``application`` or the key's own."""
        now = self.now()
        form = read_silence(members, now)
        application_id = self.sight.application_id(key, members.get("application"))
        return {"silence": silence_document(self._mutings(key).silence(application_id, form, key.key_id), now)}

    def expire_silence(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """Ends it now; it stays listed."""
        now = self.now()
        return {"silence": silence_document(self._mutings(key).expire(_id(text, "silence"), now), now)}

    def list_windows(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Maintenance windows that are not over, the oldest first."""
        check_names(parameters, "application")
        names = self.sight.named(key, parameters.get("application"))
        return {"maintenance_windows": list(map(window_document, self._mutings(key).windows(names, self.now())))}

    def create_window(self, key: KeyRecord, members: Mapping[str, Any]) -> dict[str, Any]:
        """A new window of ``application`` or the key's own."""
        form = read_window(members, self.now())
        application_id = self.sight.application_id(key, members.get("application"))
        return {"maintenance_window": window_document(self._mutings(key).open_window(application_id, form, key.key_id))}

    def delete_window(self, key: KeyRecord, text: str) -> dict[str, Any]:
        """Forgets the window; answers with what it was."""
        return {"deleted": window_document(self._mutings(key).close_window(_id(text, "window")))}

    def _mutings(self, key: KeyRecord) -> PostgresMutings:
        return self.open_mutings(self.sight.visible(key))


def silence_document(silence: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A silence as JSON."""
    is_over, is_begun = silence["ends_at"] <= now, silence["starts_at"] <= now
    return {
        "id": silence["silence_id"],
        "application": silence["application"],
        "status": "expired" if is_over else "active" if is_begun else "pending",
        "matchers": _matchers(silence["matchers"]),
        "starts_at": silence["starts_at"],
        "ends_at": silence["ends_at"],
        "comment": silence["comment"],
        "created_by": silence["created_by"],
        "created_at": silence["created_at"],
    }


def window_document(window: Mapping[str, Any]) -> dict[str, Any]:
    """A maintenance window as JSON."""
    weekly = None
    if window["weekdays"] is not None:
        hour, minute = divmod(window["start_minute"], 60)
        weekly = {
            "weekdays": [WEEKDAYS[day] for day in window["weekdays"]],
            "start": f"{hour:02}:{minute:02}",
            "duration_minutes": window["duration_minutes"],
            "time_zone": window["time_zone"],
        }
    return {
        "id": window["window_id"],
        "application": window["application"],
        "matchers": _matchers(window["matchers"]),
        "starts_at": window["starts_at"],
        "ends_at": window["ends_at"],
        "weekly": weekly,
        "comment": window["comment"],
        "created_by": window["created_by"],
        "created_at": window["created_at"],
    }


def _matchers(stored: Any) -> list[dict[str, str]]:
    return [{"label": label, "is": operator, "value": value} for label, operator, value in stored]


def _id(text: str, noun: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise unknown(noun) from error


def _place(ends_at: Any, silence_id: Any) -> tuple[datetime, str]:
    moment = datetime.fromisoformat(ends_at)
    if moment.tzinfo is None:
        raise ValueError(ends_at)
    return moment, str(UUID(silence_id))
