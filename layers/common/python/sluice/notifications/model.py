"""What is sent, to whom, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from sluice.errors import ContractError

TASK_VERSION = 1
SEVERITIES = ("info", "warning", "critical")


class ChannelKind(StrEnum):
    """How messages get to a channel's target: a URL, a URL, an address, a topic's ARN."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"
    SNS = "sns"


class Result(StrEnum):
    """How an attempt to send ended: it arrived; it may arrive later; it never will."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Channel:
    """Where an application's incidents are told. ``target`` may hold a secret: it is for sending alone."""

    channel_id: str
    application_id: int
    application: str
    name: str
    kind: ChannelKind
    target: str
    min_severity: str = "info"
    is_enabled: bool = True

    def wants(self, severity: str) -> bool:
        """Whether events of this severity are for it."""
        return self.is_enabled and rank(severity) >= rank(self.min_severity)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an incident, from alert_events. ``is_firing``: what the incident is now."""

    event_id: int
    application_id: int
    incident_id: str
    kind: str  # firing, resolved, corrected, acknowledged
    severity: str
    labels: Mapping[str, str]
    is_firing: bool
    created_at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is told, whichever its kind. ``kind`` is that of the events, ``group`` for several kinds, or
    ``test``; ``events`` are their payloads (sluice.alerts.payload); ``omitted``: how many more there were."""

    kind: str
    application: str
    created_at: str  # RFC 3339
    events: tuple[Mapping[str, Any], ...] = ()
    omitted: int = 0

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From what ``dataclasses.asdict`` and JSON made of one."""
        return cls(**{**document, "events": tuple(document["events"])})


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt to send one message, as functions/deliver gets it. Nothing is sent after ``not_after`` (UNIX time):
    by then another attempt may be under way. ``secrets`` sign a webhook, the newest first."""

    message_id: str
    kind: ChannelKind
    target: str
    message: Message
    not_after: float
    secrets: tuple[str, ...] = ()

    def to_event(self) -> dict[str, Any]:
        """The payload of the Invoke."""
        return {"version": TASK_VERSION, **asdict(self)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Raises ContractError for a task of another version."""
        if event.get("version") != TASK_VERSION:
            raise ContractError("task_version", f"deliver knows version {TASK_VERSION} of its task")
        return cls(
            message_id=event["message_id"],
            kind=ChannelKind(event["kind"]),
            target=event["target"],
            message=Message.from_document(event["message"]),
            not_after=event["not_after"],
            secrets=tuple(event["secrets"]),
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A message to send now, by who claimed it, until the lease ends. ``secret_versions`` sign it, the newest first."""

    message_id: str
    channel_id: str
    application_id: int
    kind: ChannelKind
    target: str
    message: Message
    attempt: int
    created_at: datetime
    secret_versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. ``code`` is stable; ``status`` is HTTP's, if there was one; ``detail`` is for people,
    short and without the target."""

    result: Result
    code: str
    status: int | None = None
    detail: str = ""
    retry_after_seconds: int | None = None

    def to_answer(self) -> dict[str, Any]:
        """The answer to the Invoke."""
        return asdict(self)

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """Raises ContractError for what is no outcome."""
        try:
            return cls(**{**answer, "result": Result(answer["result"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ContractError("deliver_answer", "this is not an answer of deliver") from error


def rank(severity: str) -> int:
    """The higher, the worse; 0 for one that nobody knows, as for info."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0
