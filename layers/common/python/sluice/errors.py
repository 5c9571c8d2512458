"""Errors named by what the caller must do about them.

Each carries a stable snake_case ``code`` (metric label, problem+json member) and a ``detail`` for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


class SluiceError(Exception):
    """Base of everything Sluice raises on purpose."""

    policies: tuple[str, ...] = ()  # names of the limits that were exceeded
    headers: Mapping[str, str] = {}  # that the answer is to carry besides its own
    members: Mapping[str, Any] = {}  # that a problem is to carry besides its own

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def violating(self, *policies: str) -> Self:
        """The same error, naming the limits that were exceeded."""
        self.policies = policies
        return self


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record or field that was refused: the record's 0-based position in the request, a JSON pointer inside the
    record, and why."""

    index: int
    pointer: str
    code: str
    detail: str


class RejectedInput(SluiceError):
    """The sender's fault: do not retry unchanged. HTTP ``status`` is 400, 404, 409, 413, 415 or
    422."""

    def __init__(self, code: str, detail: str, *, status: int = 400, rejections: tuple[Rejection, ...] = ()) -> None:
        super().__init__(code, detail)
        self.status = status
        self.rejections = rejections


class Denied(SluiceError):
    """No key or a wrong one (401), or a right one without the scope (403)."""

    def __init__(self, code: str, detail: str, *, status: int = 401) -> None:
        super().__init__(code, detail)
        self.status = status


class Throttled(SluiceError):
    """One application asks for too much: retry after ``retry_after_seconds`` (429)."""

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(SluiceError):
    """A server we need is down or full: retry later (503); whatever was queued stays unacknowledged."""

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int = 2) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds


class Poison(SluiceError):
    """This record can never be stored: dead-letter it and acknowledge. ``code`` holds the SQLSTATE's name."""


class ChunkFailed(SluiceError):
    """A run of process_chunk is over without having stored its chunk: its entries may be handed out again."""


class ChunkCrashed(ChunkFailed):
    """A run of process_chunk ended without a word: killed, out of memory, out of time, or by an unexpected error."""


class ContractError(SluiceError):
    """Two parts of Sluice do not understand each other (version skew, missing schema): raise and alarm."""


class ConfigError(SluiceError):
    """The operator's fault: fail at start, naming every problem at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("invalid_configuration", "; ".join(problems))
        self.problems = problems
