"""Rules as people write them on one line.

    [QUERY] > N [per minute] in 5m [for 2m] [by host] [until < M]     too many; with < too few
    [QUERY] > N% [of QUERY] in 5m                                      too large a share
    no [QUERY] in 30m                                                  silence
    new [QUERY] [in 1h]                                                a message never seen before
    [QUERY] rises 3x in 5m [vs previous,day]                           a change; also falls, changes

A query that holds such words itself goes into quotes: '"3x" > 5 in 1m' looks for the text 3x.
"""

import re
from typing import Any

from sluice_cli.errors import SettingsError
from sluice_cli.times import span_seconds

EXAMPLES = (
    "level:>=error > 50 in 1m",
    "level:>=error > 5% of service:pay in 5m for 2m",
    "no service:pay in 30m",
    "new level:>=error",
    "timeout rises 3x in 5m vs previous,day",
)
_SPAN = r"\d+\s*[smhdw]"
_TAIL = rf"(?:\s+for\s+(?P<lasting>{_SPAN}))?(?:\s+by\s+(?P<by>\S+))?"
_LIMIT = re.compile(
    r"(?P<query>.*?)(?:^|\s)(?P<side>[<>])\s*(?P<limit>\d[\d_,.]*)(?P<percent>\s*%)?(?:\s+per\s+(?P<per>second|minute|hour))?"
    rf"(?:\s+of\s+(?P<of>.+?))?\s+in\s+(?P<window>{_SPAN}){_TAIL}"
    r"(?:\s+until\s+(?P<back>[<>])\s*(?P<resolve>\d[\d_,.]*)\s*%?)?",
    re.DOTALL | re.IGNORECASE,
)
_ABSENCE = re.compile(rf"no\s+(?P<query>.*?)\s*in\s+(?P<window>{_SPAN}){_TAIL}", re.DOTALL | re.IGNORECASE)
_NEW = re.compile(rf"new(?:\s+(?P<query>.*?))??(?:\s+in\s+(?P<window>{_SPAN}))?", re.DOTALL | re.IGNORECASE)
_CHANGE = re.compile(
    rf"(?P<query>.*?)(?:^|\s)(?P<way>rises|falls|changes)\s+(?P<factor>\d+(?:\.\d+)?)\s*x\s+in\s+(?P<window>{_SPAN}){_TAIL}"
    r"(?:\s+vs\s+(?P<against>\S+))?",
    re.DOTALL | re.IGNORECASE,
)
_DIRECTIONS = {"rises": "above", "falls": "below", "changes": "both"}


def read_rule_text(text: str) -> dict[str, Any]:
    """What the rule says, as members for the API. Raises SettingsError."""
    text = text.strip()
    if (found := _ABSENCE.fullmatch(text)) or (found := _NEW.fullmatch(text)):
        kind = "absence" if found.re is _ABSENCE else "new_template"
        return {"kind": kind, **_shared(found)}
    if found := _CHANGE.fullmatch(text):
        against = found["against"].split(",") if found["against"] else ["previous"]
        change = {"direction": _DIRECTIONS[found["way"].lower()], "factor": float(found["factor"]), "against": against}
        return {"kind": "rate_change", **_shared(found), **change}
    if found := _LIMIT.fullmatch(text):
        return {"kind": "ratio" if found["percent"] else "threshold", **_shared(found), **_limits(found)}
    raise SettingsError(f"{text!r} is no rule, nor the name or id of one", f"Write for example: {EXAMPLES[0]}")


def rule_text(rule: dict[str, Any]) -> str:
    """What a rule of the API says, in such a line."""
    query = rule.get("query", "").strip()
    window = f" in {_span(rule['window_seconds'])}" if "window_seconds" in rule else ""
    tail = f" for {_span(rule['for_seconds'])}" if rule.get("for_seconds") else ""
    tail += f" by {','.join(rule['group_by'])}" if rule.get("group_by") else ""
    match rule["kind"]:
        case "absence":
            return f"no {query or 'logs'}{window}{tail}"
        case "new_template":
            return f"new {query or 'messages'}{window}"
        case "rate_change":
            way = {side: word for word, side in _DIRECTIONS.items()}[rule["direction"]]
            return f"{query or 'logs'} {way} {rule['factor']:g}x{window}{tail} vs {','.join(rule['against'])}"
        case "threshold" | "ratio":
            return f"{query or 'logs'} {_limit_text(rule)}{window}{tail}{_until_text(rule)}"
    return "whatever the detectors find"


def _shared(found: re.Match[str]) -> dict[str, Any]:
    parts = found.groupdict()
    query = (parts["query"] or "").strip()
    members: dict[str, Any] = {"query": "" if query.lower() in ("logs", "messages", "*") else query}
    if parts.get("window"):
        members["window_seconds"] = _seconds(parts["window"])
    if parts.get("lasting"):
        members["for_seconds"] = _seconds(parts["lasting"])
    if parts.get("by"):
        members["group_by"] = parts["by"].split(",")
    return members


def _limits(found: re.Match[str]) -> dict[str, Any]:
    scale = 0.01 if found["percent"] else 1.0
    is_above = found["side"] == ">"
    members: dict[str, Any] = {"above" if is_above else "below": _number(found["limit"], scale)}
    if found["resolve"]:
        if found["back"] == found["side"]:
            raise SettingsError(
                "A rule that fires above resolves below, and the other way round", f"E.g. {EXAMPLES[0]} until < 25"
            )
        members["resolve_below" if is_above else "resolve_above"] = _number(found["resolve"], scale)
    if found["of"]:
        if not found["percent"]:
            raise SettingsError("Only a share is of something", f"Write for example: {EXAMPLES[1]}")
        members["of_query"] = found["of"].strip()
    if found["per"]:
        members["per"] = found["per"].lower()
    return members


def _number(text: str, scale: float) -> float:
    try:
        return round(float(text.replace(",", "").replace("_", "")) * scale, 12)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no number", f"Write for example: {EXAMPLES[0]}") from error


def _seconds(span: str) -> int:
    return span_seconds(span.replace(" ", "").lower())


def _span(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _limit_text(rule: dict[str, Any]) -> str:
    side, limit = (">", rule["above"]) if rule.get("above") is not None else ("<", rule["below"])
    if rule["kind"] == "ratio":
        of = rule.get("of_query", "").strip()
        return f"{side} {limit * 100:g}%" + (f" of {of}" if of else "")
    return f"{side} {limit:g}" + (f" per {rule['per']}" if rule.get("per") else "")


def _until_text(rule: dict[str, Any]) -> str:
    for name, side in (("resolve_below", "<"), ("resolve_above", ">")):
        if rule.get(name) is not None:
            return (
                f" until {side} {rule[name] * 100:g}%" if rule["kind"] == "ratio" else f" until {side} {rule[name]:g}"
            )
    return ""
