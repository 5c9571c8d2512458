"""Which records are shown, and how: one line each, coloured by source and level where the terminal can."""

import json
from dataclasses import dataclass
from itertools import cycle

from rich.console import Console
from rich.text import Text

from dev.records import LEVELS, Record

SOURCE_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
LEVEL_STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red", "critical": "bold white on red"}
LONGEST_VALUE = 200


@dataclass(frozen=True)
class Filter:
    """`only`: sources, empty for all; `level`: the least; `text`: part of the line, in any case."""

    only: frozenset[str] = frozenset()
    level: str = "info"
    text: str = ""
    shows_metrics: bool = False

    def passes(self, record: Record) -> bool:
        if self.only and record.source not in self.only:
            return False
        if record.kind == "metrics":
            return self.shows_metrics and self._has_text(record)
        return LEVELS.index(record.level) >= LEVELS.index(self.level) and self._has_text(record)

    def _has_text(self, record: Record) -> bool:
        return self.text.lower() in f"{record.message} {fields(record)} {record.detail}".lower()


class View:
    """Writes records to a console; one writer at a time."""

    def __init__(self, console: Console, wanted: Filter) -> None:
        self._console, self._wanted = console, wanted
        self._colours = cycle(SOURCE_COLOURS)
        self._colour_of: dict[str, str] = {}

    def show(self, records: list[Record]) -> None:
        """Those that pass, in the order of their times."""
        for record in sorted(filter(self._wanted.passes, records), key=lambda record: record.at):
            self._console.print(self._line(record), soft_wrap=True)

    def _line(self, record: Record) -> Text:
        if record.source not in self._colour_of:
            self._colour_of[record.source] = next(self._colours)
        style = LEVEL_STYLES[record.level]
        line = Text()
        line.append(record.at.astimezone().strftime("%H:%M:%S.%f")[:-3], "dim")
        line.append(f" {record.source:<13} ", self._colour_of[record.source])
        line.append(f"{record.level.upper():<8} ", style)
        line.append(record.message, style)
        if record.fields:
            line.append(f"  {fields(record)}", "dim")
        for detail in record.detail.splitlines():
            line.append(f"\n    {detail}", "red")
        return line


def fields(record: Record) -> str:
    """The record's fields as name=value."""
    return " ".join(f"{name}={_short(value)}" for name, value in record.fields.items())


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
