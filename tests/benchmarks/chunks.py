"""How fast a queue is stored with chunks of other sizes, and with other numbers of them at once: a table for people.

Each is one drain of 100,000 logs, as in store.py, all of them in turn; the median of the rounds, against raw COPY on
one connection. Eight processes stand for process_chunk's execution environments. The first column is the processor time
of all that takes part (handlers, Redis, PgBouncer, Postgres), which other work on the machine hardly changes.
"""

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

import psutil
from rich.table import Table

from benchmarks.bench import SMALL_REDIS, Bench
from benchmarks.installation import Installation
from benchmarks.logs import BATCH
from benchmarks.program import console, exit_code, servers
from benchmarks.rounds import interleave

RECORDS, CONCURRENCY = (1_000, 2_000, 5_000, 10_000, 20_000), (1, 2, 4, 8)
BATCHES = 100
LOGS = BATCHES * BATCH


class Sweep:
    """Stores the same queue again and again; remembers the processor time of chunks that ran one after the other."""

    def __init__(self, bench: Bench) -> None:
        self._installation = Installation(
            bench.stack, "product", SMALL_REDIS, bench.exits, most_at_once=max(CONCURRENCY)
        )
        self._roots = (bench.stack.supervisor_pid(), self._installation.pid)
        self.processor: dict[int, list[float]] = {records: [] for records in RECORDS}

    def contender(self, records: int, concurrency: int) -> Callable[[int], float]:
        """See rounds.interleave."""
        return lambda _: self.rate(records, concurrency)

    def rate(self, records: int, concurrency: int) -> float:
        """Rows a second of one drain."""
        installation = self._installation
        installation.empty()
        installation.queue(BATCHES)
        installation.settle()
        settings = {"chunk_max_records": records, "chunk_max_bytes": 2**30, "chunk_concurrency": concurrency}
        before = self._processor_seconds()
        rate = LOGS / installation.store(LOGS, settings=settings)
        if concurrency == 1:
            self.processor[records].append(self._processor_seconds() - before)
        return rate

    def _processor_seconds(self) -> float:
        """Of the servers and the handlers so far."""
        roots = map(psutil.Process, self._roots)
        times = (process.cpu_times() for root in roots for process in (root, *root.children(recursive=True)))
        return float(sum(time.user + time.system for time in times))


def sweep(bench: Bench, rounds: int) -> Table:
    """By logs a chunk and chunks at once: rows a second ÷ those of raw COPY in the same round."""
    measured = Sweep(bench)
    pairs = [(records, concurrency) for records in RECORDS for concurrency in CONCURRENCY]
    contenders: dict[str, Callable[[int], float]] = {"copy": bench.copy.rate}
    contenders |= {str(pair): measured.contender(*pair) for pair in pairs}
    measured.rate(RECORDS[-1], max(CONCURRENCY))
    rates = interleave(rounds, contenders)
    heads = (f"{concurrency} at once" for concurrency in CONCURRENCY)
    table = Table("logs a chunk", "µs of processor a log", *heads, box=None)
    for records in RECORDS:
        ratios = (
            median(ours / theirs for ours, theirs in zip(rates[str((records, count))], rates["copy"], strict=True))
            for count in CONCURRENCY
        )
        microseconds = median(measured.processor[records]) / LOGS * 1_000_000
        table.add_row(f"{records:,}", f"{microseconds:.1f}", *(f"{ratio:.2f}" for ratio in ratios))
    return table


def run(rounds: int) -> None:
    """Measures and prints."""
    with servers("chunks-stack") as stack, ExitStack() as exits:
        console.print(sweep(Bench(stack, exits, frozenset(), False, console.print), rounds))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-chunks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    return exit_code("bench-chunks", lambda: run(arguments.rounds))


if __name__ == "__main__":
    sys.exit(main())
