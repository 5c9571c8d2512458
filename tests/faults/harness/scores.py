"""The table that a run ends with."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from faults.harness.oracle import Verdict

HEADINGS = ("fault", "what", "rounds", "hit", "lost", "duplicated", "in both", "longest recovery (s)")


@dataclass(frozen=True)
class Score:
    """What one fault did in one run."""

    fault: str  # F1 to F11, as in the fault plan
    what: str
    rounds: int
    hit: int  # how often the fault really happened
    lost: int
    duplicated: int
    in_both: int
    recovery_seconds: float  # the longest


@dataclass
class Scoreboard:
    """Gathers scores in the order of the tests."""

    scores: list[Score] = field(default_factory=list)

    def add(
        self, fault: str, what: str, verdict: Verdict, *, rounds: int, hit: int, recovery_seconds: float = 0.0
    ) -> None:
        self.scores.append(
            Score(fault, what, rounds, hit, verdict.lost, verdict.duplicated, verdict.in_both, recovery_seconds)
        )

    def lines(self) -> list[str]:
        """The table as text."""
        rows = [HEADINGS, *(_cells(score) for score in sorted(self.scores, key=lambda item: int(item.fault[1:])))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        return [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]

    def write(self, file: Path, size: str) -> None:
        document = {"size": size, "scores": [asdict(score) for score in self.scores]}
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(document, indent=2) + "\n")


def _cells(score: Score) -> tuple[str, ...]:
    *counts, recovery = list(asdict(score).values())[2:]
    return (score.fault, score.what, *map(str, counts), f"{recovery:.1f}" if recovery else "-")
