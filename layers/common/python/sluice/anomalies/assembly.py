"""Sessions from the logs that belong to them: open while logs come, complete when none came for some time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

LONGEST = timedelta(hours=1)  # a session; what comes then is another one
MAX_OPEN = 10_000  # sessions; where there are more, half of them is no longer looked at
MAX_SHARE = 16  # as an exponent
_MAX_EVENTS = 200  # templates of one session


class Piece(NamedTuple):
    """Logs of one session and one template that were read together. ``template_id`` is 0 where it is not known yet.
    ``lot`` is drawn from the session's name; times are of events, in seconds since 1970."""

    session: str
    lot: int
    template_id: int
    level: int  # the highest
    logs: int
    first_at: float
    last_at: float


@dataclass(slots=True)
class Event:
    """The logs of one template in a session."""

    count: int
    first_at: float
    level: int


@dataclass(slots=True)
class Session:
    """``opened`` and ``touched`` are ends of the stretches of time in which its first and latest logs were read. One
    that ``is_partial`` may have had more logs than were seen."""

    name: str
    lot: int
    opened: datetime
    touched: datetime
    is_partial: bool
    last_at: float = 0.0
    events: dict[int, Event] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        """Counts logs in. The order does not matter."""
        self.last_at = max(self.last_at, piece.last_at)
        known = self.events.get(piece.template_id)
        if known is not None:
            known.count += piece.logs
            known.first_at = min(known.first_at, piece.first_at)
            known.level = max(known.level, piece.level)
        elif len(self.events) < _MAX_EVENTS and piece.template_id:
            self.events[piece.template_id] = Event(piece.logs, piece.first_at, piece.level)
        else:
            self.is_partial = True

    def to_state(self) -> list[Any]:
        """JSON-able."""
        events = [[event, known.count, known.first_at, known.level] for event, known in self.events.items()]
        times = self.opened.isoformat(), self.touched.isoformat()
        return [self.name, self.lot, *times, self.is_partial, self.last_at, events]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Self:
        name, lot, opened, touched, is_partial, last_at, events = state
        times = datetime.fromisoformat(opened), datetime.fromisoformat(touched)
        return cls(name, lot, *times, is_partial, last_at, {event: Event(*plain) for event, *plain in events})

    def resolve(self, roots: Mapping[int, int]) -> None:
        """Templates become those that they are part of by now."""
        for template_id in [each for each in self.events if each in roots]:
            event = self.events.pop(template_id)
            known = self.events.setdefault(roots[template_id], event)
            if known is not event:
                known.count += event.count
                known.first_at = min(known.first_at, event.first_at)
                known.level = max(known.level, event.level)

    @property
    def counts(self) -> dict[int, int]:
        """How often it has each template."""
        return {template_id: event.count for template_id, event in self.events.items()}

    @property
    def first_at(self) -> float:
        """Of its events."""
        return min(event.first_at for event in self.events.values())

    @property
    def entry(self) -> int:
        """The template that it begins with; of several at once, always the same."""
        return min(self.events, key=lambda each: (self.events[each].first_at, each))


class Assembly:
    """Open sessions, of which a stable share is looked at: all whose lot is divisible by 2 ** ``share``."""

    def __init__(self, since: datetime) -> None:
        """Sessions that are met right after ``since`` may have begun before."""
        self.share = 0
        self.partial_since = since
        self.open: dict[str, Session] = {}

    def add(self, pieces: Iterable[Piece], until: datetime, quiet: timedelta) -> None:
        """What was read of a stretch of time that ends then."""
        is_partial = until - self.partial_since <= quiet
        mask = (1 << self.share) - 1
        for piece in pieces:
            if piece.lot & mask:
                continue
            session = self.open.get(piece.session)
            if session is None:
                session = self.open[piece.session] = Session(piece.session, piece.lot, until, until, is_partial)
            session.touched = until
            session.add(piece)
        while len(self.open) > MAX_OPEN and self.share < MAX_SHARE:
            self.halve()

    def complete(self, until: datetime, quiet: timedelta) -> list[Session]:
        """Takes out those that are complete by then, in an order that only depends on what they hold."""
        done = [each for each in self.open.values() if until - each.touched >= quiet or until - each.opened >= LONGEST]
        for session in done:
            del self.open[session.name]
        whole = [each for each in done if not each.is_partial and each.events]
        return sorted(whole, key=lambda each: (each.first_at, each.name))

    def halve(self) -> None:
        """From now on half as many sessions are looked at."""
        self.share += 1
        mask = (1 << self.share) - 1
        self.open = {name: session for name, session in self.open.items() if not session.lot & mask}

    def double(self, now: datetime) -> None:
        """From now on twice as many are; those that are met soon may have begun before."""
        self.share -= 1
        self.partial_since = now

    def to_state(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "share": self.share,
            "partial_since": self.partial_since.isoformat(),
            "open": [session.to_state() for session in self.open.values()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        assembly = cls(datetime.fromisoformat(state["partial_since"]))
        assembly.share = state["share"]
        sessions = map(Session.from_state, state["open"])
        assembly.open = {session.name: session for session in sessions}
        return assembly
