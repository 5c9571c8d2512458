"""One deliberate fault, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Mutation:
    """Replaces ``old``, which must stand in ``file`` exactly once, by ``new``. One of ``tests`` must fail then."""

    name: str
    why: str  # what would become of the logs, if nobody noticed
    file: str  # relative to the repository
    old: str
    new: str
    tests: tuple[str, ...]  # pytest node ids


class Verdict(StrEnum):
    """What a test run says of a mutation."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"  # the tests did not run: errors of collection or set-up prove nothing


@dataclass(frozen=True)
class Outcome:
    """One test run. ``detail`` is the test that failed, or the end of pytest's output."""

    verdict: Verdict
    detail: str
    seconds: float
