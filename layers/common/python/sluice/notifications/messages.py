"""Messages as the receivers of each kind of channel get them. Pure.

A message has the same bytes at each attempt. What applications log is in it (titles may name values, samples are rows),
so everything is escaped for where it goes.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sluice.notifications.model import Message
from sluice.notifications.routing import Group

MAX_EVENTS = 20  # in one message
_MAX_TEXT = 1_000
_SUBJECT_CHARACTERS = 100  # SNS takes no more
_SNS_BYTES = 200_000  # of 256 KB
_VERBS = {
    "firing": "is firing",
    "resolved": "is resolved",
    "corrected": "is corrected by late logs",
    "acknowledged": "is acknowledged",
}
_SIGNS = {"firing": ":red_circle:", "resolved": ":large_green_circle:", "corrected": ":large_orange_circle:"}
_SHOWN_ANYWAY = ("application", "severity")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def compose(group: Group, application: str, created_at: datetime) -> Message:
    """The message about a group of events of one application."""
    shown = group.events[:MAX_EVENTS]
    moment = created_at.astimezone(UTC).isoformat()
    return Message(
        group.kind, application, moment, tuple(event.payload for event in shown), len(group.events) - len(shown)
    )


def compose_test(application: str, created_at: datetime) -> Message:
    """What a channel gets for a test."""
    return Message("test", application, created_at.astimezone(UTC).isoformat())


def title(message: Message) -> str:
    """One line: what the message is about."""
    if not message.events:
        return f"{message.application}: test of a channel"
    first, count = message.events[0], len(message.events) + message.omitted
    if count == 1:
        return f"{message.application}: {_line(first, 'title')} {_verb(first)}"
    verb = "events" if message.kind == "group" else f"alerts {message.kind}"
    return f"{message.application}: {count} {verb}"


def webhook_body(message: Message) -> bytes:
    """JSON as Standard Webhooks advises: ``type``, ``timestamp``, ``data``."""
    document = {
        "type": f"alert.{message.kind}",
        "timestamp": message.created_at,
        "data": {
            "application": message.application,
            "title": title(message),
            "events": list(message.events),
            "omitted": message.omitted,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def slack_body(message: Message) -> bytes:
    """JSON for an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). Such
    webhooks cannot answer in a thread, so each message says which incident it belongs to."""
    heading = _cut(title(message), 150)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": heading, "emoji": False}}]
    for event in message.events:
        blocks += _slack_event(event)
    if message.omitted:
        blocks.append(_context(f"and {message.omitted} more"))
    if not message.events:
        blocks.append(_section("This channel works."))
    return json.dumps({"text": _slack(heading), "blocks": blocks}, ensure_ascii=False).encode("utf-8", "replace")


def subject(message: Message) -> str:
    """An e-mail's: the same for all messages of an incident, since mail programs tell threads by it, too."""
    if len(message.events) != 1:
        return _cut(title(message), _SUBJECT_CHARACTERS)
    event = message.events[0]
    severity = f"[{event['severity']}] " if event.get("severity") else ""
    again = "" if event["kind"] == "firing" else "Re: "
    return again + _cut(f"{severity}{message.application}: {_line(event, 'title')}", _SUBJECT_CHARACTERS - len(again))


def text(message: Message) -> str:
    """Plain text, for e-mail."""
    parts = [title(message), *(_plain_event(event) for event in message.events)]
    if message.omitted:
        parts.append(f"… and {message.omitted} more.")
    if not message.events:
        parts.append("This channel works.")
    return "\n\n".join(parts) + "\n"


def references(message: Message, domain: str) -> list[str]:
    """Message-IDs that all messages of an incident name, so that they are one thread: each incident has one, which no
    message bears (mail programs make a thread of messages with a common ancestor that they do not have, RFC 5256)."""
    return [f"<incident.{incident}@{domain}>" for incident in _incidents(message)]


def sns_parts(message: Message) -> tuple[str, str]:
    """Subject (ASCII, one line) and body (the webhook's JSON)."""
    heading = _cut(title(message), _SUBJECT_CHARACTERS).encode("ascii", "replace").decode()
    body = webhook_body(message)
    if len(body) > _SNS_BYTES:
        body = webhook_body(Message(message.kind, message.application, message.created_at, (), len(message.events)))
    return heading, body.decode()


def _incidents(message: Message) -> list[str]:
    return list(dict.fromkeys(str(event["incident_id"]) for event in message.events))


def _slack_event(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    sign = _SIGNS.get(event["kind"], ":large_blue_circle:")
    heading = f"{sign} *{_slack(_line(event, 'title'))}* {_verb(event)}"
    lines = [heading, _slack(_line(event, "sentence"))]
    lines += [f"`{_slack(sample).replace('`', '´')}`" for sample in _samples(event)]
    facts = [f"severity {event.get('severity')}", *(f"{name} {value}" for name, value in _facts(event).items())]
    about = _slack(" · ".join([*facts, f"incident {str(event['incident_id'])[:8]}"]))
    return [_section("\n".join(filter(None, lines))), _context(about)]


def _plain_event(event: Mapping[str, Any]) -> str:
    lines = [f"{_line(event, 'title')} {_verb(event)}", _line(event, "sentence")]
    facts = {"severity": event.get("severity"), **_facts(event), "incident": event["incident_id"]}
    lines += [f"{name}: {value}" for name, value in facts.items()]
    lines += [f"> {sample}" for sample in _samples(event)]
    return "\n".join(filter(None, lines))


def _facts(event: Mapping[str, Any]) -> dict[str, str]:
    named = {name: _line(event, name) for name in ("observed", "threshold", "query")}
    labels = event.get("labels") or {}
    return {name: value for name, value in named.items() if value} | {
        _one_line(name): _cut(_one_line(value), 100) for name, value in labels.items() if name not in _SHOWN_ANYWAY
    }


def _verb(event: Mapping[str, Any]) -> str:
    if (event.get("correction") or {}).get("is_withdrawn"):
        return "is withdrawn: late logs show that it never was"
    return _VERBS[event["kind"]]


def _samples(event: Mapping[str, Any]) -> list[str]:
    """The messages of the sample rows, a line each."""
    rows = event.get("samples")
    found = [row.get("message", "") if isinstance(row, dict) else row for row in rows or ()]
    return [_cut(_one_line(message), 300) for message in found[:3]]


def _line(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return "" if value is None else _cut(_one_line(value), _MAX_TEXT)


def _one_line(value: Any) -> str:
    return _UNPRINTABLE.sub(" ", str(value)).strip()


def _cut(value: str, characters: int) -> str:
    return value if len(value) <= characters else value[: characters - 1] + "…"


def _slack(value: str) -> str:
    """Escaped: nobody is mentioned, and no link made, by what a log says."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(markdown: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(markdown, 3_000)}}


def _context(markdown: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(markdown, 2_000)}]}
