"""Contracts of watching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.assembly import Piece
from sluice.anomalies.feedback import Judged
from sluice.anomalies.series import Cell, Episode
from sluice.errors import SluiceError


@dataclass(frozen=True, slots=True)
class Template:
    """What is told of a template. ``root`` is the one that it is part of by now: itself, if it was not merged."""

    text: str
    root: int
    is_ignored: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an application is watched. ``generation`` counts its saves."""

    application_id: int
    generation: int = 0
    settled_until: datetime | None = None
    watched_until: datetime | None = None  # the watermark


@dataclass(frozen=True, slots=True)
class Saved:
    """What is known of an application: the states as of ``settled_until`` by key, and the anomalies that are open or
    were lately."""

    progress: Progress
    states: Mapping[str, Any] = field(default_factory=dict)
    anomalies: Sequence[Anomaly] = ()


class Conflict(SluiceError):
    """Somebody else saved this application's progress meanwhile: what was to be saved is void."""


class Census(Protocol):
    """Counts of stored logs."""

    def first_minute(self, application_id: int, since: datetime) -> datetime | None:
        """That of its first event from ``since`` on; None if there is none."""

    def lag(self, application_id: int, now: datetime) -> timedelta:
        """Whole minutes after which nearly all logs of a minute's events are received, as it was in the hours before
        ``now``; no more than a quarter of an hour. Raises Unavailable."""

    def cells(
        self,
        application_id: int,
        events: tuple[datetime, datetime],
        received: tuple[datetime | None, datetime],
        *,
        is_by_minute: bool,
    ) -> Sequence[Cell]:
        """Logs with events and receipt in these half-open times (whole minutes; None: ever), by template as it is
        merged now. With ``minute`` of the event, or else of the bucket's start. Raises Unavailable."""

    def templates(self, application_id: int) -> Mapping[int, Template]:
        """All of them. Raises Unavailable."""


class WatchStore(Protocol):
    """States of detectors, and anomalies."""

    def progress(self) -> Sequence[Progress]:
        """Of all applications that have a census, those first that are furthest behind. Raises Unavailable."""

    def load(self, application_id: int) -> Saved:
        """Everything that was saved. Raises Unavailable."""

    def save(self, progress: Progress, states: Mapping[str, Any] | None, anomalies: Sequence[Anomaly]) -> None:
        """At once or not at all: ``progress`` with the generation that was loaded, which is raised by one; all states,
        or None if they did not change; and anomalies that are new or changed. Raises Conflict, Unavailable."""

    def judged(self, application_id: int, since: datetime) -> Sequence[Judged]:
        """What people said of its anomalies since then. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """How far an application's sessions are read. ``generation`` counts its saves."""

    application_id: int
    generation: int = 0
    read_until: datetime | None = None


class SessionLogs(Protocol):
    """Stored logs by the sessions that they belong to."""

    def field(self, application_id: int, received: tuple[datetime, datetime]) -> str:
        """Which field names sessions in the latest logs of these: trace_id, session_id or metadata.request_id, in that
        order; empty if none does. Raises Unavailable."""

    def pieces(
        self,
        application_id: int,
        field: str,
        received: tuple[datetime | None, datetime],
        events: tuple[datetime, datetime] | None,
        share: int,
        limit: int,
    ) -> Sequence[Piece]:
        """Of the logs with receipt, and events, in these half-open times that have the field, and whose sessions' lots
        are divisible by 2 ** ``share``: what they amount to; ``limit`` of them where there are more. Raises
        Unavailable."""


class SessionStore(Protocol):
    """States of session monitors."""

    def progress(self) -> Sequence[SessionProgress]:
        """Of all applications that have templates, those first that are furthest behind. Raises Unavailable."""

    def load(self, application_id: int) -> tuple[SessionProgress, Mapping[str, Any] | None, Sequence[Episode]]:
        """What was saved; no state if nothing was. Raises Unavailable."""

    def save(self, progress: SessionProgress, state: Mapping[str, Any], episodes: Sequence[Episode]) -> None:
        """``progress`` with the generation that was loaded, which is raised by one. Raises Conflict, Unavailable."""

    def episodes(self, application_id: int) -> Sequence[Episode]:
        """What was saved of them. Raises Unavailable."""


class Evidence(Protocol):
    """What only the logs themselves tell."""

    def samples(self, application_id: int, query: str, window: tuple[datetime, datetime]) -> Sequence[str]:
        """Ids of a few logs that ``query`` finds in this time; none if they cannot be found fast."""

    def new_version(self, application_id: int, onset: datetime) -> str | None:
        """The version of logs that began shortly before, if one did, and was not the first. None if that cannot be told
        fast."""
