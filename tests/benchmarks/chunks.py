"""How fast a queue is stored with chunks of other sizes, and with other numbers of them at once: a table for people.

Each is one drain of 100,000 logs, as in store.py, all of them in turn; the median of the rounds, against raw COPY on
one connection. Eight processes stand for process_chunk's execution environments.
"""

import argparse
import sys
from contextlib import ExitStack
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.bench import PRODUCT_REDIS, Bench
from benchmarks.contender import ContenderFailed
from benchmarks.figures import BenchError
from benchmarks.installation import Installation
from benchmarks.logs import BATCH
from benchmarks.rounds import interleave
from stack import BUILD, embedded, running_stack

STATE = BUILD / "chunks-stack"
RECORDS, CONCURRENCY = (1_000, 2_000, 5_000, 10_000, 20_000), (1, 2, 4, 8)
BATCHES = 100
console = Console(highlight=False)


def sweep(bench: Bench, rounds: int) -> dict[tuple[int, int], list[float]]:
    """By records a chunk and chunks at once: rows a second ÷ those of raw COPY in the same round."""
    installation = Installation(bench.stack, "product", PRODUCT_REDIS, bench.exits, most_at_once=max(CONCURRENCY))

    def rate(records: int, concurrency: int) -> float:
        installation.empty()
        installation.queue(BATCHES)
        installation.settle()
        settings = {"chunk_max_records": records, "chunk_max_bytes": 2**30, "chunk_concurrency": concurrency}
        return BATCHES * BATCH / installation.store(BATCHES * BATCH, settings=settings)

    pairs = [(records, concurrency) for records in RECORDS for concurrency in CONCURRENCY]
    contenders = {"copy": bench.copy.rate} | {str(pair): lambda _, pair=pair: rate(*pair) for pair in pairs}
    rate(*pairs[-1])
    rates = interleave(rounds, contenders)
    return {
        pair: [ours / theirs for ours, theirs in zip(rates[str(pair)], rates["copy"], strict=True)] for pair in pairs
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-chunks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    try:
        with running_stack(STATE) as stack, ExitStack() as exits:
            found = sweep(Bench(stack, exits, frozenset(), False, console.print), arguments.rounds)
    except (BenchError, ContenderFailed) as error:
        console.print(f"bench-chunks: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    embedded("clean", state=STATE)
    table = Table("logs a chunk", *(f"{concurrency} at once" for concurrency in CONCURRENCY), box=None)
    for records in RECORDS:
        table.add_row(f"{records:,}", *(f"{median(found[records, concurrency]):.2f}" for concurrency in CONCURRENCY))
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
