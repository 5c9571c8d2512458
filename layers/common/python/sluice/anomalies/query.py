"""From a request's parameters to which anomalies are asked for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sluice.anomalies.model import ALARM_SCORE, Kind
from sluice.errors import RejectedInput
from sluice.search.parse import check_names, parse_choice, parse_limit, parse_moment, parse_words

MAX_LIMIT, DEFAULT_LIMIT = 500, 50
STATUSES = ("all", "open", "closed")
_DEFAULT_RANGE = timedelta(days=7)
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class AnomalyCursor:
    """The last one of a page."""

    onset: datetime
    anomaly_id: int

    @property
    def text(self) -> str:
        """What ``from_text`` reads."""
        return f"{(self.onset - _EPOCH) // timedelta(microseconds=1)}-{self.anomaly_id}"

    @classmethod
    def from_text(cls, text: str) -> "AnomalyCursor":
        """Raises RejectedInput ``invalid_cursor``."""
        found = _CURSOR.fullmatch(text)
        if not found:
            raise RejectedInput("invalid_cursor", "cursor must be the next_cursor of a page")
        return cls(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


@dataclass(frozen=True, slots=True)
class AnomalyQuery:
    """Those that touch a time, the latest onset first. ``kinds``: empty for all; ``status``: one of STATUSES."""

    since: datetime
    until: datetime
    applications: tuple[str, ...]
    kinds: tuple[Kind, ...]
    status: str
    min_score: float
    shows_muted: bool
    limit: int
    cursor: AnomalyCursor | None


def parse_anomalies(parameters: Mapping[str, str], now: datetime) -> AnomalyQuery:
    """Raises RejectedInput ``unknown_parameter``, or ``invalid_<name>`` of one of them."""
    check_names(parameters, "since", "until", "application", "kind", "status", "min_score", "muted", "limit", "cursor")
    until = parse_moment("until", parameters.get("until"), now) or now
    try:
        since = parse_moment("since", parameters.get("since"), now) or until - _DEFAULT_RANGE
    except OverflowError as error:
        raise RejectedInput("invalid_until", "until is at the beginning of time") from error
    if since >= until:
        raise RejectedInput("invalid_since", "since must be before until, which is now unless given")
    return AnomalyQuery(
        since=since,
        until=until,
        applications=tuple(parse_words(parameters.get("application"))),
        kinds=_kinds(parse_words(parameters.get("kind"))),
        status=parse_choice("status", parameters.get("status"), STATUSES),
        min_score=_score(parameters.get("min_score")),
        shows_muted=parse_choice("muted", parameters.get("muted"), ("no", "yes")) == "yes",
        limit=parse_limit("limit", parameters.get("limit"), DEFAULT_LIMIT, MAX_LIMIT),
        cursor=AnomalyCursor.from_text(parameters["cursor"]) if parameters.get("cursor") else None,
    )


def parse_anomaly_id(text: str) -> int:
    """Raises RejectedInput ``unknown_anomaly``: no anomaly has such an id."""
    if not _ID.fullmatch(text):
        raise unknown_anomaly(text)
    return int(text)


def unknown_anomaly(anomaly_id: int | str) -> RejectedInput:
    """What is said of an anomaly that does not exist, or of somebody else."""
    return RejectedInput("unknown_anomaly", f"this API key sees no anomaly {anomaly_id}", status=404)


def _kinds(names: Iterable[str]) -> tuple[Kind, ...]:
    try:
        return tuple(map(Kind, names))
    except ValueError as error:
        raise RejectedInput("invalid_kind", f"kind must be of {', '.join(Kind)}, separated by commas") from error


def _score(text: str | None) -> float:
    try:
        score = float(text) if text else ALARM_SCORE
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise RejectedInput("invalid_min_score", "min_score must be a number from 0 to 1")
    return score
