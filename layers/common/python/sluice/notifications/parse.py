"""Channels, silences and maintenance windows from JSON: each function raises RejectedInput ``invalid_<member>``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.applications.parse import read_text, refuse_others
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput
from sluice.notifications.addresses import AddressPolicy, check_url
from sluice.notifications.model import SEVERITIES, ChannelKind
from sluice.notifications.silences import OPERATORS, WEEKDAYS, Matcher, Weekly, is_safe_pattern

MAX_NAME_CHARACTERS = 100
MAX_COMMENT_CHARACTERS = 1_000
MAX_MATCHERS, MAX_MATCHER_CHARACTERS = 10, 200
MAX_MINUTES = 24 * 60
MAX_SILENCE = timedelta(days=3_660)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{1,62}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]{4,30}:[0-9]{12}:sluice-alerts-[A-Za-z0-9_-]{1,200}(\.fifo)?")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """A channel as somebody asked for it."""

    name: str
    kind: ChannelKind
    target: str
    min_severity: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class SilenceForm:
    """A silence as somebody asked for it."""

    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class WindowForm:
    """A maintenance window: from ``starts_at`` to ``ends_at``, or ``weekly`` by the clocks of ``time_zone``."""

    matchers: tuple[Matcher, ...]
    comment: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekly: Weekly | None = None
    time_zone: str | None = None


def read_channel_form(
    members: Mapping[str, Any], policy: AddressPolicy, before: ChannelForm | None = None
) -> ChannelForm:
    """A new channel, or what becomes of one: what is not named stays as ``before``, the kind always. Raises
    ``invalid_url`` and ``target_refused``, too."""
    if before is None:
        refuse_others(members, "application", "name", "kind", "target", "min_severity", "enabled")
        kind = ChannelKind(_one_of(members.get("kind"), "kind", tuple(ChannelKind)))
        target = _target(kind, members.get("target"), policy)
        before = ChannelForm("", kind, target, "info", is_enabled=True)
        members = {"name": None, **members}
    else:
        refuse_others(members, "name", "target", "min_severity", "enabled")
        if not members:
            raise RejectedInput("empty_change", "give what is to change")
    is_enabled = members.get("enabled", before.is_enabled)
    if not isinstance(is_enabled, bool):
        raise RejectedInput("invalid_enabled", "enabled must be true or false")
    return ChannelForm(
        name=_line(members, "name", MAX_NAME_CHARACTERS) if "name" in members else before.name,
        kind=before.kind,
        target=_target(before.kind, members["target"], policy) if "target" in members else before.target,
        min_severity=_one_of(members.get("min_severity", before.min_severity), "min_severity", SEVERITIES),
        is_enabled=is_enabled,
    )


def read_silence(members: Mapping[str, Any], now: datetime) -> SilenceForm:
    """A new silence; it begins now unless it says when, and needs a matcher: to silence everything is a window's
    business."""
    refuse_others(members, "application", "matchers", "starts_at", "ends_at", "comment")
    starts_at = _moment(members, "starts_at") if members.get("starts_at") is not None else now
    ends_at = _moment(members, "ends_at")
    if ends_at <= max(starts_at, now) or ends_at - starts_at > MAX_SILENCE:
        raise RejectedInput(
            "invalid_ends_at", "ends_at must lie in the future, after starts_at and within ten years of it"
        )
    matchers = read_matchers(members.get("matchers"))
    if not matchers:
        raise RejectedInput("invalid_matchers", "a silence needs a matcher: what is not to be heard of?")
    return SilenceForm(matchers, starts_at, ends_at, _line(members, "comment", MAX_COMMENT_CHARACTERS, ""))


def read_window(members: Mapping[str, Any], now: datetime) -> WindowForm:
    """A new maintenance window, once (``starts_at``, ``ends_at``) or ``weekly``. Without matchers it is the whole
    application's."""
    refuse_others(members, "application", "matchers", "starts_at", "ends_at", "weekly", "comment")
    matchers = read_matchers(members.get("matchers", []))
    comment = _line(members, "comment", MAX_COMMENT_CHARACTERS, "")
    if members.get("weekly") is not None:
        if members.keys() & {"starts_at", "ends_at"}:
            raise RejectedInput("invalid_weekly", "give starts_at and ends_at, or weekly")
        weekly, time_zone = _weekly(members["weekly"])
        return WindowForm(matchers, comment, weekly=weekly, time_zone=time_zone)
    starts_at, ends_at = _moment(members, "starts_at"), _moment(members, "ends_at")
    if ends_at <= max(starts_at, now):
        raise RejectedInput("invalid_ends_at", "ends_at must lie in the future and after starts_at")
    return WindowForm(matchers, comment, starts_at, ends_at)


def read_matchers(value: Any) -> tuple[Matcher, ...]:
    """From a list of {"label", "is", "value"}."""
    if not isinstance(value, list) or len(value) > MAX_MATCHERS:
        raise RejectedInput("invalid_matchers", f"matchers must be a list of at most {MAX_MATCHERS}")
    return tuple(map(_matcher, value))


def _matcher(value: Any) -> Matcher:
    if not isinstance(value, dict) or value.keys() != {"label", "is", "value"}:
        raise RejectedInput("invalid_matchers", "a matcher is an object of label, is and value")
    texts = (value["label"], value["value"])
    if (
        not all(isinstance(text, str) and _is_line(text, MAX_MATCHER_CHARACTERS) for text in texts)
        or not value["label"]
    ):
        raise RejectedInput("invalid_matchers", f"label and value have at most {MAX_MATCHER_CHARACTERS} characters")
    operator = _one_of(value["is"], "matchers", OPERATORS)
    if operator == "=~" and not is_safe_pattern(value["value"]):
        detail = "a pattern has characters, '.', classes and '|', of which two in a branch may have '*', '+' or '?'"
        raise RejectedInput("invalid_matchers", detail)
    return Matcher(value["label"], operator, value["value"])


def _weekly(value: Any) -> tuple[Weekly, str]:
    if not isinstance(value, dict) or value.keys() != {"weekdays", "start", "duration_minutes", "time_zone"}:
        raise RejectedInput("invalid_weekly", "weekly is an object of weekdays, start, duration_minutes and time_zone")
    days, start, minutes, zone = (value[name] for name in ("weekdays", "start", "duration_minutes", "time_zone"))
    if not isinstance(days, list) or not days or any(day not in WEEKDAYS for day in days):
        raise RejectedInput("invalid_weekly", f"weekdays must be a list of {', '.join(WEEKDAYS)}")
    clock = _CLOCK.fullmatch(start) if isinstance(start, str) else None
    if clock is None or type(minutes) is not int or not 1 <= minutes <= MAX_MINUTES:
        raise RejectedInput("invalid_weekly", f"start must be HH:MM, duration_minutes from 1 to {MAX_MINUTES}")
    if not isinstance(zone, str) or not _ZONE.fullmatch(zone):
        raise invalid_time_zone()
    numbers = tuple(sorted({WEEKDAYS.index(day) for day in days}))
    return Weekly(numbers, int(clock[1]) * 60 + int(clock[2]), minutes), zone


def invalid_time_zone() -> RejectedInput:
    """What is said of a name that is no time zone's."""
    return RejectedInput("invalid_weekly", "time_zone must be a name of the IANA database, such as Europe/Berlin")


def _target(kind: ChannelKind, value: Any, policy: AddressPolicy) -> str:
    if not isinstance(value, str):
        raise RejectedInput("invalid_target", "target must be text")
    match kind:
        case ChannelKind.WEBHOOK | ChannelKind.SLACK:
            check_url(value, policy)
        case ChannelKind.EMAIL:
            if not _EMAIL.fullmatch(value) or len(value) > 254:
                raise RejectedInput("invalid_target", "target must be an e-mail address")
        case ChannelKind.SNS:
            if not _TOPIC.fullmatch(value):
                raise RejectedInput("invalid_target", "target must be the ARN of a topic called sluice-alerts-…")
    return value


def redacted(kind: ChannelKind, target: str) -> str:
    """What may be shown of a target: enough to recognise it, nothing to use it with."""
    match kind:
        case ChannelKind.WEBHOOK | ChannelKind.SLACK:
            scheme, _, rest = target.partition("://")
            return f"{scheme}://{re.split(r'[/?]', rest, maxsplit=1)[0]}/…"
        case ChannelKind.EMAIL:
            local, _, domain = target.rpartition("@")
            return f"{local[:1]}…@{domain}"
        case ChannelKind.SNS:
            parts = target.split(":")
            return ":".join([*parts[:4], "…", *parts[5:]])


def _moment(members: Mapping[str, Any], name: str) -> datetime:
    try:
        return timestamp_from_text(members.get(name))  # type: ignore[arg-type]  # judged there
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise RejectedInput(f"invalid_{name}", f"{name} must be an RFC 3339 time") from error


def _line(members: Mapping[str, Any], name: str, most: int, default: str | None = None) -> str:
    if default is not None and members.get(name) in (None, ""):
        return default
    text = read_text(members, name)
    if not _is_line(text, most) or not text.strip():
        raise RejectedInput(f"invalid_{name}", f"{name} must be one line of 1 to {most} characters")
    return text


def _is_line(text: str, most: int) -> bool:
    return len(text) <= most and text.isprintable()


def _one_of(value: Any, name: str, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise RejectedInput(f"invalid_{name}", f"{name} must be one of {', '.join(known)}")
    return value
