"""What an answer means for the batch, and how long to wait before another try."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

RETRIED = frozenset((408, 409, 425, 429, 502, 503, 504))
MAX_FAILURES = 8  # answers of a broken server, or of something that is no Sluice, before a batch is given up
_LONGEST_WAIT_SECONDS = 86_400.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_HINTS = {
    301: "is SLUICE_URL complete, with https and stage?",
    302: "is SLUICE_URL complete, with https and stage?",
    401: "is SLUICE_API_KEY right, not revoked and not expired?",
    403: "may this key send logs, and is SLUICE_URL right?",
    404: "is SLUICE_URL right?",
}


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class NoAnswer(Exception):
    """Nothing came back: whether the batch was taken is unknown. The text says why."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a batch. `action` is accepted, retry (another time), failed (like retry, but not for ever),
    split (it is too large) or refused (for good)."""

    action: str
    reason: str = ""
    wait_seconds: float = 0.0  # what the server asked for
    accepted: int = 0
    rejected: int = 0


def judge(answer: Answer, count: int, now: float) -> Verdict:
    """The verdict on a batch of `count` records; `now` in seconds since 1970 is for a Retry-After that is a date."""
    document = _object(answer.body)
    if 200 <= answer.status < 300:
        accepted, rejected = document.get("accepted"), document.get("rejected")
        if isinstance(accepted, int) and isinstance(rejected, list):
            total = document.get("rejected_count")  # the list holds the first of them
            rejected_count = total if isinstance(total, int) else len(rejected)
            return Verdict("accepted", _first_rejection(rejected), accepted=accepted, rejected=rejected_count)
        return Verdict("failed", f"{answer.status}, but not from Sluice: is SLUICE_URL right?")
    reason = _reason(answer.status, document)
    if answer.status in RETRIED:
        return Verdict("retry", reason, wait_seconds=retry_after_seconds(answer.headers, now))
    if answer.status >= 500:
        return Verdict("failed", reason, wait_seconds=retry_after_seconds(answer.headers, now))
    if answer.status == 413 and count > 1:
        return Verdict("split", reason)
    errors = document.get("errors")
    if answer.status == 400 and isinstance(errors, list) and len(errors) == count:
        return Verdict("refused", _first_rejection(errors), rejected=count)
    return Verdict("refused", reason)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float:
    """Seconds that Retry-After asks for, as a number or a date; 0 without one that can be read.

    A date is compared with the answer's own Date: clocks differ.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text) if text.isdecimal() else _seconds_since_1970(text) - _sent_at(headers, now)
    except (TypeError, ValueError, OverflowError, IndexError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures (1, 2, …): doubles up to half a minute, of which up to half is chance."""
    longest = min(_FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10), _LONGEST_BACKOFF_SECONDS)
    return longest * random.uniform(0.5, 1.0)


def _sent_at(headers: Mapping[str, str], now: float) -> float:
    try:
        return _seconds_since_1970(headers["date"])
    except (KeyError, TypeError, ValueError, OverflowError, IndexError):
        return now


def _seconds_since_1970(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _reason(status: int, document: Mapping[str, Any]) -> str:
    code = document.get("code")
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    return f"{status}{f' {code}' if isinstance(code, str) else ''}{hint}"


def _first_rejection(rejections: list[Any]) -> str:
    first = rejections[0] if rejections and isinstance(rejections[0], dict) else {}
    return f"{first.get('code')}, {first.get('detail')}" if first else ""
