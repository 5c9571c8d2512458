"""What keeps events from being sent: silences, which are over at their end, and maintenance windows, which may come
every week. Both name events by matchers on their labels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice.notifications.model import Event

OPERATORS = ("=", "!=", "=~")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MAX_COMPARED_CHARACTERS = 256
_DAY, _WEEK = 24 * 60, 7 * 24 * 60  # minutes
# A branch of a pattern: characters and classes, of which two may be repeated or left out. More, groups or counts could
# make a match take for ever, and the watch with it.
_ATOM = r"(?:\\[^a-zA-Z0-9]|\[\^?[a-zA-Z0-9_. -]+\]|[^\\\[\](){}|*+?^$])"
_BRANCH = re.compile(rf"{_ATOM}*(?:{_ATOM}[*+?]{_ATOM}*){{0,2}}")


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a label must be: ``operator`` is = (the value), != (anything else), or =~ (all of it as the pattern says). A
    label that is missing is an empty one."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels are as this says."""
        actual = labels.get(self.label, "")
        if self.operator == "=~":
            return re.fullmatch(self.value, actual[:MAX_COMPARED_CHARACTERS]) is not None
        return (actual == self.value) is (self.operator == "=")


@dataclass(frozen=True, slots=True)
class Muting:
    """A silence or a maintenance window that is in force. ``reason``: silence, maintenance."""

    reason: str
    muting_id: str
    application_id: int
    matchers: tuple[Matcher, ...] = ()

    def mutes(self, event: Event) -> bool:
        """Whether it keeps the event from being sent. Without matchers: all of its application."""
        is_meant = event.application_id == self.application_id
        return is_meant and all(matcher.matches(event.labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Opens on each of ``weekdays`` (0 is Monday) at ``start_minute`` of the day for ``duration_minutes``, by the
    clocks of a place: a window from 22:00 to 02:00 ends at 02:00, whether or not they are set in that night."""

    weekdays: tuple[int, ...]
    start_minute: int
    duration_minutes: int

    def is_open(self, local: datetime) -> bool:
        """Whether it is open at the time that clocks there show."""
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        starts = (weekday * _DAY + self.start_minute for weekday in self.weekdays)
        return any((minute - start) % _WEEK < self.duration_minutes for start in starts)


def find_muting(event: Event, mutings: Iterable[Muting]) -> Muting | None:
    """The first that mutes the event."""
    return next((muting for muting in mutings if muting.mutes(event)), None)


def is_safe_pattern(pattern: str) -> bool:
    """Whether a pattern can be matched in little time, whatever the text: branches between ``|``, each of characters,
    escaped ones, ``.`` and simple classes, at most two of them with ``*``, ``+`` or ``?``."""
    if not all(map(_BRANCH.fullmatch, pattern.split("|"))):
        return False
    try:
        re.compile(pattern)
    except re.error:  # a class such as [z-a]
        return False
    return True
