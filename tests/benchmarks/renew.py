"""Keeps the newest measured figures, and renews the tables of infra/SIZING.md from them."""

import json
import sys
from collections.abc import Mapping

from benchmarks import report, sizing
from benchmarks.figures import INPUTS, BenchError
from benchmarks.program import exit_code
from stack import BUILD, REPOSITORY

FOLDER = REPOSITORY / "tests" / "benchmarks"
MEASURED, PRICES, PAGE = FOLDER / "measured.json", FOLDER / "prices.json", REPOSITORY / "infra" / "SIZING.md"


def inputs_of(bench: Mapping[str, float]) -> dict[str, float]:
    """What the page needs of a run's document. Raises BenchError if that was a quick one: its rounds are too few."""
    if "rows" in bench:
        raise BenchError("build/bench.json is of a quick run: measure with `make bench`, or delete it")
    return {key: bench[key] for key in INPUTS}


def renew() -> None:
    """What was not measured lately stays as it was."""
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    bench = BUILD / "bench.json"
    if bench.exists():
        measured |= inputs_of(json.loads(bench.read_text()))
    for other in (BUILD / "modes.json", BUILD / "archive.json"):
        if other.exists():
            measured |= json.loads(other.read_text())
    report.write(MEASURED, measured)
    PAGE.write_text(sizing.renewed(PAGE.read_text(), sizing.tables(measured, json.loads(PRICES.read_text()))))


if __name__ == "__main__":
    sys.exit(exit_code("sizing", renew))
