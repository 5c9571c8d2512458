"""Incidents, rules and backtests as tables and lines."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from sluice_cli.render import make_table, minute, printable, second
from sluice_cli.rule_text import rule_text

type JsonObject = dict[str, Any]

STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan", "firing": "bold red", "pending": "yellow"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_AXIS_CHARACTERS = 16  # of a time


def incident_table(incidents: Iterable[JsonObject]) -> Table:
    """Incidents, the newest first."""
    table = make_table(("id", "status", "severity", "application", "since", "until", "what"), [])
    for one in incidents:
        state = "withdrawn" if one["withdrawn"] else one["status"]
        notes = [word for word, is_so in (("silenced", one["silenced"]), ("acked", one["acknowledged_at"])) if is_so]
        table.add_row(
            one["id"][:8],
            Text(" ".join([state, *notes]), STYLES.get(state, "")),
            Text(one["severity"], STYLES.get(one["severity"], "")),
            printable(one["application"]),
            minute(one["opened_at"]),
            minute(one["resolved_at"]) or "…",
            Text(printable(one["title"])),
        )
    return table


def incident_lines(found: JsonObject) -> list[Text]:
    """One incident, and what was told of it."""
    one = found["incident"]
    facts = [
        ("status", "withdrawn: late logs showed that it never was" if one["withdrawn"] else one["status"]),
        ("severity", one["severity"]),
        ("since", second(one["opened_at"])),
        ("until", second(one["resolved_at"]) if one["resolved_at"] else "it goes on"),
        ("labels", ", ".join(f"{name}={value}" for name, value in sorted(one["labels"].items()))),
        ("query", one["query"] or "all logs"),
    ]
    if one["acknowledged_at"]:
        note = f": {one['acknowledge_note']}" if one["acknowledge_note"] else ""
        facts.append(("acked", f"{second(one['acknowledged_at'])} by key {one['acknowledged_by']}{note}"))
    lines = [Text(printable(one["title"]), "bold"), Text(printable(one["sentence"]))]
    lines += [Text.assemble((f"{name:<10}", "dim"), printable(value)) for name, value in facts]
    for event in found["events"]:
        payload = event["payload"]
        said = f"{second(event['created_at'])}  {event['kind']:<12} "
        lines.append(Text.assemble((said, STYLES.get(event["kind"], "")), printable(payload.get("sentence", ""))))
        lines += [
            Text(printable(f"    {sample['level']:<8} {sample['message']}"), "dim")
            for sample in payload.get("samples", [])
        ]
    span = one["window"]
    lines.append(
        Text(printable(f"Look: sluice logs --since {span['from']} --until {span['until']} '{one['query']}'"), "dim")
    )
    return lines


def rule_table(rules: Iterable[JsonObject]) -> Table:
    """Rules, with what they say in one line each."""
    table = make_table(("id", "application", "name", "says", "severity", "state"), [])
    for rule in rules:
        state = (
            "off" if not rule["enabled"] else f"failed: {rule['failure']['code']}" if rule["failure"] else rule["state"]
        )
        table.add_row(
            str(rule["id"]),
            printable(rule["application"]),
            Text(printable(rule["name"])),
            Text(printable(rule_text(rule))),
            Text(rule["severity"], STYLES.get(rule["severity"], "")),
            Text(state, "dim" if state == "off" else STYLES.get(state, "red" if rule["failure"] else "")),
        )
    return table


def rule_lines(rule: JsonObject) -> list[Text]:
    """One rule in full."""
    judged = rule["last_evaluated_at"]
    facts = [
        ("says", rule_text(rule)),
        ("application", rule["application"]),
        ("severity", rule["severity"]),
        ("labels", ", ".join(f"{name}={value}" for name, value in sorted(rule["labels"].items())) or "none"),
        ("state", rule["state"] if rule["enabled"] else "off"),
        ("judged", f"up to {second(judged)}" if judged else "begins with the next window"),
        ("origin", rule["origin"]),
        ("changed", f"{second(rule['changed_at'])}" + (f" by key {rule['changed_by']}" if rule["changed_by"] else "")),
    ]
    if rule["failure"]:
        facts.append(("fails", f"since {second(rule['failure']['since'])}: {rule['failure']['detail']}"))
    if rule["groups_cut"]:
        facts.append(("groups", "more than 100: only the most frequent are judged"))
    lines = [Text(printable(f"{rule['id']}  {rule['name']}"), "bold")]
    return lines + [Text.assemble((f"{name:<12}", "dim"), printable(value)) for name, value in facts]


def episode_table(episodes: Iterable[JsonObject]) -> Table:
    """When a rule would have fired."""
    return make_table(
        ("from", "until", "lasted", "observed", "limit", "group"),
        (
            (
                second(one["from"]) if one["from"] else "before",
                second(one["until"]) if one["until"] else "it goes on",
                _lasted(one["from"], one["until"]),
                _number(one["observed"]),
                _number(one["threshold"]),
                ", ".join(f"{name}={value or '(none)'}" for name, value in one["group"].items()),
            )
            for one in episodes
        ),
    )


def timeline_lines(marks: Sequence[JsonObject], since: str, width: int) -> list[Text]:
    """What a rule would have seen, as bars over time, red where it would have fired, and a scale."""
    if not marks:
        return []
    columns = (
        [
            marks[
                number * len(marks) // width : max((number + 1) * len(marks) // width, number * len(marks) // width + 1)
            ]
            for number in range(min(width, len(marks)))
        ]
        if len(marks) > width
        else [[mark] for mark in marks]
    )
    values = [max((mark["observed"] or 0.0 for mark in column), default=0.0) for column in columns]
    most = max(values) or 1.0
    bars = Text()
    for column, value in zip(columns, values, strict=True):
        fires = any(mark["fires"] for mark in column)
        height = max(1, round(value / most * (len(_BLOCKS) - 1))) if value else 0
        # A window without logs that fires has to be seen, too.
        bars.append(_BLOCKS[height] if height or not fires else "▁", "bold red" if fires else "green")
    first, last = since[:_AXIS_CHARACTERS].replace("T", " "), marks[-1]["until"][:_AXIS_CHARACTERS].replace("T", " ")
    gap = max(1, len(columns) - 2 * _AXIS_CHARACTERS)
    return [
        bars,
        Text(f"{first}{' ' * gap}{last}", "dim"),
        Text(f"highest {_number(most if max(values) else 0.0)}", "dim"),
    ]


def _lasted(since: str | None, until: str | None) -> str:
    if not since or not until:
        return ""
    seconds = int((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
    return (
        f"{seconds // 3_600}h{seconds % 3_600 // 60:02}m" if seconds >= 3_600 else f"{seconds // 60}m{seconds % 60:02}s"
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
