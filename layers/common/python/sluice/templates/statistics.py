"""What stands in the places of a template, over some of its messages."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sluice.templates.parameters import parameters

_MAX_TOP = 10
_MAX_PLACES = 32
_MAX_CHARACTERS = 200


def parameter_statistics(text: str, messages: Iterable[str]) -> dict[str, Any]:
    """For each place of the template ``text``, how many ``distinct`` values there are, the
    ``top`` ones, and bounds and mean if all are numbers. ``sampled`` messages were of this template."""
    rows = [values for message in messages if (values := parameters(text, message))]
    width = min(len(rows[0]), _MAX_PLACES) if rows else 0
    return {
        "sampled": len(rows),
        "places": [_place([row[place][:_MAX_CHARACTERS] for row in rows]) for place in range(width)],
    }


def _place(values: list[str]) -> dict[str, Any]:
    counts = Counter(values)
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_TOP]
    numbers = [number for number in map(_number, values) if number is not None]
    return {
        "distinct": len(counts),
        "top": [{"value": value, "count": count} for value, count in top],
        "number": {"least": min(numbers), "mean": math.fsum(numbers) / len(numbers), "most": max(numbers)}
        if numbers and len(numbers) == len(values)
        else None,
    }


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e30 else None
