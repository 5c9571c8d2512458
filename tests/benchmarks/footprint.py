"""What does not depend on the machine: imports, the layer's size, and the room that a log takes."""

import json
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.figures import Measured
from benchmarks.logs import BATCH, content_bytes, make_logs
from deploy import build
from deploy.progress import step
from stack import REPOSITORY

STORED_BATCHES = 50
REPORT_IMPORTS = """
import json, sys, time
sys.path[:0] = sys.argv[1:]
before, started = set(sys.modules), time.perf_counter()
import app
print(json.dumps([len(set(sys.modules) - before), time.perf_counter() - started]))
"""
_SIZES = """
SELECT sum(pg_table_size(relid)) FILTER (WHERE parent = 'log_entries'), sum(pg_total_relation_size(relid))
FROM unnest(ARRAY ['log_entries', 'ledger', 'word_filters']) AS parent, pg_partition_tree(parent::regclass)"""


def measure(bench: Bench) -> dict[str, Measured]:
    """Sizes of what is built and stored."""
    measured: dict[str, Measured] = {}
    if bench.wants("bytes_per_log"):
        measured["bytes_per_log"] = _bytes_per_log(bench)
    if bench.wants("layer_mb", "ingest_modules", "process_chunk_modules"):
        with build.exclusive(), step("build") as current:
            build.build(current, build.layer_platform(runs_here=True))
        measured["layer_mb"] = Measured(build.layer_megabytes())
        for verb in ("ingest", "process_chunk"):
            count, seconds = _imports(verb)
            measured[f"{verb}_modules"] = Measured(count, f"{seconds * 1000:.0f} ms at a cold start")
    return measured


def _bytes_per_log(bench: Bench) -> Measured:
    """Of logs that the product stored, as its tables are after a vacuum."""
    installation = bench.small
    installation.empty()
    installation.queue(STORED_BATCHES)
    installation.store(STORED_BATCHES * BATCH)
    installation.ask("index")
    installation.cursor.execute("VACUUM log_entries, ledger, word_filters")
    installation.cursor.execute(_SIZES)
    table, everything = (int(size) for size in installation.cursor.fetchone())
    content = content_bytes(make_logs(BATCH, STORED_BATCHES))
    count = STORED_BATCHES * BATCH
    bench.note(f"bytes_per_log with all indexes, ledger and word filters: {everything / count / content:.2f}")
    return Measured(table / count / content, f"{table / count:.0f} bytes for {content:.0f}")


def _imports(verb: str) -> tuple[int, float]:
    """Modules that importing a function loads from the built layer, and the seconds of the best of three."""
    paths = [str(REPOSITORY / "functions" / verb), str(build.LAYER)]
    command = [sys.executable, "-I", "-S", "-O", "-c", REPORT_IMPORTS, *paths]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    counts, seconds = zip(*(json.loads(run.stdout) for run in runs), strict=True)
    return counts[0], min(seconds)
