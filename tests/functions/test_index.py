"""functions/index with a fake store: steps until nothing is left, and gives way."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from apps import load_app
from fakes import NOON
from sluice.errors import Unavailable
from sluice.filters.model import Advance, Lag

app = load_app("index")


@dataclass
class MemoryFilterStore:
    """FilterStore that is told how its steps go."""

    steps: list[Advance]
    asked: list[int] = field(default_factory=list)

    def advance(self, max_rows: int) -> Advance:
        self.asked.append(max_rows)
        if not self.steps:
            raise Unavailable("database_unavailable", "down")
        return self.steps.pop(0)

    def lag(self) -> Lag:
        return Lag(0, 0.0)


STEP = Advance(entries=20, rows=20_000, filters=150)


def test_steps_until_nothing_is_left() -> None:
    store = MemoryFilterStore([STEP, STEP, Advance(), STEP])
    assert app.catch_up(store, lambda: True) == Advance(entries=40, rows=40_000, filters=300)
    assert store.asked == [app.ROWS_AT_ONCE] * 3


def test_gives_way_to_another_run() -> None:
    store = MemoryFilterStore([STEP, Advance(is_busy=True), STEP])
    assert app.catch_up(store, lambda: True) == Advance(20, 20_000, 150, is_busy=True)


def test_stops_in_time() -> None:
    store = MemoryFilterStore([STEP] * 3)
    answers = iter([True, True, False])
    assert app.catch_up(store, lambda: next(answers)).entries == 40


def test_an_outage_is_an_error() -> None:
    with pytest.raises(Unavailable):
        app.catch_up(MemoryFilterStore([]), lambda: True)


@dataclass
class MemoryRepairer:
    """Repairer that is told how its steps go."""

    steps: list[int]

    def repair(self) -> int:
        return self.steps.pop(0)


def test_repairs_until_no_line_waits() -> None:
    repairer = MemoryRepairer([1_000, 20, 0, 5])
    assert app.repair_all(repairer, lambda: True) == 1_020
    assert repairer.steps == [5]


def test_stops_repairing_in_time() -> None:
    answers = iter([True, False])
    assert app.repair_all(MemoryRepairer([1_000, 1_000]), lambda: next(answers)) == 1_000


@dataclass
class MemorySums:
    """LedgerSums that are told how their steps go."""

    steps: list[int]

    def roll_up(self, max_entries: int) -> int:
        assert max_entries == app.ENTRIES_AT_ONCE
        return self.steps.pop(0)


@dataclass
class MemoryHistory:
    """CountHistory that is told how its steps go."""

    steps: list[int | None]

    def roll_up(self, now: datetime, max_rows: int) -> int | None:
        assert (now, max_rows) == (NOON, app.COUNTS_AT_ONCE)
        return self.steps.pop(0)


def test_moves_counts_until_none_is_due_or_time_is_up() -> None:
    history = MemoryHistory([20_000, 7, 0, 5, None, 3])
    assert app.keep_history(history, NOON, lambda: True) == 20_012
    answers = iter([True, False])
    assert app.keep_history(history, NOON, lambda: next(answers)) == 3


def test_sums_up_until_nothing_is_left_or_time_is_up() -> None:
    sums = MemorySums([100_000, 7, 0, 5])
    assert app.sum_up(sums, lambda: True) == 100_007
    answers = iter([True, False])
    assert app.sum_up(sums, lambda: next(answers)) == 5
