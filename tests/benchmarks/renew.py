"""Keeps the newest measured figures, and renews the tables of infra/SIZING.md from them."""

import json
import sys

from benchmarks import report, sizing
from benchmarks.figures import INPUTS
from stack import BUILD, REPOSITORY

FOLDER = REPOSITORY / "tests" / "benchmarks"
MEASURED, PRICES, PAGE = FOLDER / "measured.json", FOLDER / "prices.json", REPOSITORY / "infra" / "SIZING.md"


def main() -> int:
    """What was not measured lately stays as it was."""
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    bench = BUILD / "bench.json"
    if bench.exists():
        figures = json.loads(bench.read_text())
        measured |= {key: figures[key] for key in INPUTS}
    for other in (BUILD / "modes.json", BUILD / "archive.json"):
        if other.exists():
            measured |= json.loads(other.read_text())
    report.write(MEASURED, measured)
    PAGE.write_text(sizing.renewed(PAGE.read_text(), sizing.tables(measured, json.loads(PRICES.read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
