"""What a run has to say: a table for people, build/bench.json for programs. Pure but for the file."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from benchmarks.figures import FIGURES, INPUTS, Figure, Measured


def table(measured: Mapping[str, Measured]) -> Table:
    """Key, value, target and the absolute figures, in the order of FIGURES; what misses its target is red."""
    lines = Table("figure", "value", "target", "absolute", box=None, pad_edge=False)
    for figure in FIGURES:
        if figure.key in measured:
            lines.add_row(*_cells(figure, measured[figure.key]))
    return lines


def inputs(measured: Mapping[str, Measured]) -> Table:
    """Key and value of what has no target."""
    lines = Table("measured", "value", box=None, pad_edge=False)
    for key in INPUTS:
        if key in measured:
            lines.add_row(key, f"{measured[key].value:,.4g}")
    return lines


def _cells(figure: Figure, measured: Measured) -> tuple[str, str, str, str]:
    colour = "green" if figure.is_met(measured.value) else "red"
    return figure.key, f"[{colour}]{measured.value:.3g}[/]", figure.goal, measured.absolute


def document(measured: Mapping[str, Measured], rows: int | None) -> dict[str, float]:
    """All keys, and ``rows`` for a run with fewer. Raises KeyError if one was not measured."""
    values = {key: round(measured[key].value, 4) for key in (*(figure.key for figure in FIGURES), *INPUTS)}
    return values if rows is None else values | {"rows": rows}


def write(file: Path, values: Mapping[str, float]) -> None:
    """One JSON object, a key a line."""
    file.write_text(json.dumps(values, indent=2) + "\n")
