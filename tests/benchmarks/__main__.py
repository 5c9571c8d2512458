"""Command line of the benchmark: measures all figures, or those that are named."""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import end_to_end, footprint, freshness, ingest, report, requests, scale, store
from benchmarks.bench import Bench
from benchmarks.figures import COLD_INPUTS, FIGURES, INPUTS, REQUEST_INPUTS, STORED_INPUTS, Measured
from benchmarks.program import console, exit_code, servers
from stack import BUILD

RESULT = BUILD / "bench.json"
GROUPS: dict[str, tuple[tuple[str, ...], Callable[[Bench], dict[str, Measured]]]] = {
    "taking in": (("ingest_single_vs_baseline", "ingest_batch_vs_baseline"), ingest.measure),
    "storing": (("store_vs_copy", "store_vs_baseline", "mining_cost"), store.measure),
    "end to end": (("end_to_end_vs_copy", "end_to_end_vs_baseline"), end_to_end.measure),
    "freshness": (("freshness_p95_seconds_wake", "freshness_p95_seconds_tick"), freshness.measure),
    "scale": (("store_10m_vs_100k", "page_10m_vs_100k", "search_vs_scan"), scale.measure),
    "footprint": (
        ("bytes_per_log", "layer_mb", "ingest_modules", "process_chunk_modules", *STORED_INPUTS, *COLD_INPUTS),
        footprint.measure,
    ),
    "requests": (REQUEST_INPUTS, requests.measure),
}
EVERY = frozenset((*(figure.key for figure in FIGURES), *INPUTS))


def measured_now(keys: frozenset[str], *, is_quick: bool) -> tuple[dict[str, Measured], list[str]]:
    """Measures ``keys`` on servers of their own; the figures, and notes for people."""
    measured: dict[str, Measured] = {}
    notes: list[str] = []
    with servers("bench-stack") as stack, ExitStack() as exits:
        bench = Bench(stack, exits, keys, is_quick, notes.append)
        for name, (group, measure) in GROUPS.items():
            if bench.wants(*group):
                started = time.monotonic()
                with console.status(f"measuring {name}"):
                    measured |= measure(bench)
                console.print(f"  {name}: {time.monotonic() - started:.0f} s", style="dim")
    return {key: value for key, value in measured.items() if key in keys}, notes


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
        report.write(RESULT, report.document(measured, scale.QUICK_MANY if is_quick else None))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"fewer rounds, at most {scale.QUICK_MANY:,} rows")
    parser.add_argument("--only", metavar="KEY,...", help="measure these alone, and write no file")
    arguments = parser.parse_args()
    keys = frozenset(arguments.only.split(",")) if arguments.only else EVERY
    if unknown := keys - EVERY:
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; known are {', '.join(sorted(EVERY))}")
    return exit_code("bench", lambda: run(keys, is_quick=arguments.quick))


if __name__ == "__main__":
    sys.exit(main())
