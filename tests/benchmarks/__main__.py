"""Command line of the benchmark: measures all figures, or those that are named."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from benchmarks import day, end_to_end, footprint, freshness, ingest, report, requests, scale, store
from benchmarks.bench import Bench
from benchmarks.figures import COLD_INPUTS, FIGURES, INPUTS, REQUEST_INPUTS, STORED_INPUTS, Measured
from benchmarks.program import console, exit_code, servers
from stack import BUILD

RESULT = BUILD / "bench.json"


class Group(NamedTuple):
    """What is measured together: its figures, and which properties of Bench it needs."""

    keys: tuple[str, ...]
    needs: tuple[str, ...]
    measure: Callable[[Bench], dict[str, Measured]]


GROUPS = {
    "taking in": Group(
        ("ingest_single_vs_baseline", "ingest_batch_vs_baseline"), ("baseline", "plain"), ingest.measure
    ),
    "storing": Group(
        ("store_vs_copy", "store_vs_baseline", "mining_cost"),
        ("worker", "plain", "small", "copy"),
        store.measure,
    ),
    "end to end": Group(
        ("end_to_end_vs_copy", "end_to_end_vs_baseline"),
        ("server", "deployment", "copy", "singles"),
        end_to_end.measure,
    ),
    "freshness": Group(
        ("freshness_p95_seconds_wake", "freshness_p95_seconds_tick"), ("deployment",), freshness.measure
    ),
    "scale": Group(("store_10m_vs_100k", "page_10m_vs_100k", "search_vs_scan"), ("small", "full"), scale.measure),
    "footprint": Group(
        ("bytes_per_log", "layer_mb", "ingest_modules", "process_chunk_modules", *STORED_INPUTS, *COLD_INPUTS),
        ("small",),
        footprint.measure,
    ),
    "requests": Group(REQUEST_INPUTS, ("small",), requests.measure),
}
EVERY = frozenset((*(figure.key for figure in FIGURES), *INPUTS))


def measured_now(keys: frozenset[str], *, is_quick: bool) -> tuple[dict[str, Measured], list[str]]:
    """Measures ``keys`` on servers of their own; the figures, and notes for people."""
    measured: dict[str, Measured] = {}
    notes: list[str] = []
    with servers("bench-stack") as stack, ExitStack() as exits:
        bench = Bench(stack, exits, keys, is_quick, notes.append)
        groups = {name: group for name, group in GROUPS.items() if bench.wants(*group.keys)}
        needs = dict.fromkeys(need for group in groups.values() for need in group.needs)
        with _timed("getting ready"):
            bench.prepare(needs)
        for name, group in groups.items():
            with _timed(f"measuring {name}"):
                measured |= group.measure(bench)
    return {key: value for key, value in measured.items() if key in keys}, notes


@contextmanager
def _timed(what: str) -> Iterator[None]:
    """Says what is being done, and then what it took."""
    started = time.monotonic()
    with console.status(what):
        yield
    console.print(f"  {what}: {time.monotonic() - started:.0f} s", style="dim")


def run(keys: frozenset[str], *, is_quick: bool) -> None:
    """Measures and prints ``keys``; if they are all of them, writes them, too."""
    started = time.monotonic()
    measured, notes = measured_now(keys, is_quick=is_quick)
    console.print(f"  together: {time.monotonic() - started:.0f} s", style="dim")
    console.print(report.table(measured))
    console.print(report.inputs(measured))
    for note in notes:
        console.print(f"  {note}", style="dim", soft_wrap=True)
    if keys == EVERY:
        report.write(RESULT, report.document(measured, day.QUICK_MANY if is_quick else None))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"fewer rounds, at most {day.QUICK_MANY:,} rows")
    parser.add_argument("--only", metavar="KEY,...", help="measure these alone, and write no file")
    arguments = parser.parse_args()
    keys = frozenset(arguments.only.split(",")) if arguments.only else EVERY
    if unknown := keys - EVERY:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; known are {', '.join(sorted(EVERY))}")
    return exit_code("bench", lambda: run(keys, is_quick=arguments.quick))


if __name__ == "__main__":
    sys.exit(main())
