"""Channels, silences, maintenance windows and deliveries as tables."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from sluice_cli.render import make_table, minute, printable, second

type JsonObject = dict[str, Any]

_STYLES = {"failed": "bold red", "refused": "bold red", "pending": "yellow", "held": "yellow", "silenced": "dim"}


def channel_table(channels: Iterable[JsonObject]) -> Table:
    """Channels, and how the last attempt to tell each something ended."""
    table = make_table(("id", "application", "name", "kind", "target", "from", "last attempt"), [])
    for one in channels:
        table.add_row(
            one["id"][:8],
            printable(one["application"]),
            Text(printable(one["name"]), "" if one["enabled"] else "dim strike"),
            one["kind"],
            Text(printable(one["target"])),
            one["min_severity"] if one["enabled"] else "off",
            _attempt(one["last_attempt"]),
        )
    return table


def silence_table(silences: Iterable[JsonObject]) -> Table:
    """Silences."""
    table = make_table(("id", "application", "status", "from", "until", "what", "comment"), [])
    for one in silences:
        table.add_row(
            one["id"][:8],
            printable(one["application"]),
            one["status"],
            minute(one["starts_at"]),
            minute(one["ends_at"]),
            Text(printable(matchers_text(one["matchers"]))),
            Text(printable(one["comment"])),
        )
    return table


def window_table(windows: Iterable[JsonObject]) -> Table:
    """Maintenance windows."""
    table = make_table(("id", "application", "when", "what", "comment"), [])
    for one in windows:
        table.add_row(
            one["id"][:8],
            printable(one["application"]),
            Text(printable(window_text(one))),
            Text(printable(matchers_text(one["matchers"]) or "everything")),
            Text(printable(one["comment"])),
        )
    return table


def delivery_table(deliveries: Iterable[JsonObject]) -> Table:
    """What became of events on their channels."""
    table = make_table(
        ("decided", "application", "channel", "incident", "event", "status", "attempts", "last attempt"), []
    )
    for one in deliveries:
        last = one["last_attempt"] or {"code": one["reason"] or "", "detail": ""}
        table.add_row(
            second(one["decided_at"]),
            printable(one["application"]),
            Text(printable(one["channel"]["name"])),
            one["incident"][:8],
            one["kind"],
            Text(one["status"], _STYLES.get(one["status"], "")),
            str(one["attempts"]),
            Text(printable(f"{last['code']} {last['detail']}".strip())),
        )
    return table


def _attempt(last: JsonObject | None) -> Text:
    if last is None:
        return Text("never", "dim")
    why = "" if last["result"] == "delivered" else f" ({last['code']})"
    return Text(f"{last['result']} {second(last['at'])}{why}", _STYLES.get(last["result"], ""))


def matchers_text(matchers: Iterable[JsonObject]) -> str:
    """As they are written on the command line."""
    return " ".join(f"{one['label']}{one['is']}{one['value']}" for one in matchers)


def window_text(window: JsonObject) -> str:
    """When it is open."""
    weekly = window["weekly"]
    if weekly is None:
        return f"{minute(window['starts_at'])} to {minute(window['ends_at'])}"
    days = ",".join(day[:3] for day in weekly["weekdays"])
    return f"{days} {weekly['start']} for {weekly['duration_minutes']} min, {weekly['time_zone']}"
