"""The use case of deliveries: what became of events on their channels."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sluice.applications.model import KeyRecord
from sluice.errors import RejectedInput
from sluice.notifications.postgres_deliveries import STATUSES, DeliveryQuery, PostgresDeliveries
from sluice.search.parse import check_names, parse_choice, parse_limit

if TYPE_CHECKING:
    from functions.alerts.sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor
else:
    from sight import DEFAULT_LIMIT, MAX_LIMIT, Sight, cursor_text, read_cursor


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Takes the key of who asks."""

    sight: Sight
    open_deliveries: Callable[[Collection[int] | None], PostgresDeliveries]

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A page of deliveries, the newest first."""
        check_names(parameters, "incident", "channel", "status", "application", "limit", "cursor")
        limit = parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT)
        query = DeliveryQuery(
            limit=limit + 1,
            incident_id=_uuid("incident", parameters.get("incident")),
            channel_id=_uuid("channel", parameters.get("channel")),
            status=parse_choice("status", parameters.get("status"), ("", *STATUSES)) or None,
            applications=self.sight.named(key, parameters.get("application")),
            after=read_cursor(parameters.get("cursor"), _place),
        )
        found = self.open_deliveries(self.sight.visible(key)).page(query)
        shown = found[:limit]
        more = cursor_text(shown[-1]["event_id"], shown[-1]["channel_id"]) if len(found) > limit else None
        return {"deliveries": [document(delivery) for delivery in shown], "next_cursor": more}


def document(delivery: Mapping[str, Any]) -> dict[str, Any]:
    """A delivery as JSON."""
    last = {name: delivery[name] for name in ("result", "code", "detail")}
    last |= {"status": delivery["http_status"], "at": delivery["attempted_at"]}
    return {
        "event": delivery["event_id"],
        "kind": delivery["kind"],
        "incident": delivery["incident_id"],
        "application": delivery["application"],
        "channel": {
            "id": delivery["channel_id"],
            "name": delivery["channel"],
            "kind": delivery["channel_kind"],
        },
        "status": delivery["status"],
        "reason": delivery["reason"],
        "muted_by": delivery["muting_id"],
        "message": delivery["message_id"],
        "attempts": delivery["attempt_count"] or 0,
        "last_attempt": last if last["result"] else None,
        "next_attempt_at": delivery["next_attempt_at"],
        "finished_at": delivery["finished_at"],
        "decided_at": delivery["decided_at"],
    }


def _uuid(name: str, text: str | None) -> str | None:
    if not text:
        return None
    try:
        return str(UUID(text))
    except ValueError as error:
        raise RejectedInput(f"invalid_{name}", f"{name} must be an id") from error


def _place(event_id: Any, channel_id: Any) -> tuple[int, str]:
    if type(event_id) is not int or not 0 <= event_id < 2**63:
        raise ValueError(event_id)
    return event_id, str(UUID(channel_id))
