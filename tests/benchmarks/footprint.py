"""What does not depend on the machine: imports, the layer's size, and the room that a log takes."""

import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.deployed import environments
from benchmarks.figures import COLD_INPUTS, FUNCTIONS, STORED_INPUTS, Measured
from benchmarks.logs import BATCH
from benchmarks.sizing import CHUNK_LOGS
from deploy import build
from deploy.progress import step
from stack import REPOSITORY

STORED_BATCHES = 50
AWS_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
REPORT_IMPORTS = """
import json, sys, time
sys.path[:0] = sys.argv[2:]
before, started = set(sys.modules), time.perf_counter()
import app
if sys.argv[1] == "start":
    (getattr(app, "_dependencies", None) or app._sessions)()
print(json.dumps([len(set(sys.modules) - before), time.perf_counter() - started]))
"""
_SIZES = """
SELECT sum(pg_table_size(relid)) FILTER (WHERE parent = 'log_rows'),
    sum(pg_total_relation_size(relid)) FILTER (WHERE parent = 'log_rows'), sum(pg_total_relation_size(relid))
FROM unnest(ARRAY ['log_rows', 'ledger', 'word_filters']) AS parent, pg_partition_tree(parent::regclass)"""
_CONTENT = "SELECT avg(octet_length(message) + octet_length(metadata::text)) FROM log_entries"


def measure(bench: Bench) -> dict[str, Measured]:
    """Sizes of what is built and stored."""
    measured: dict[str, Measured] = {}
    if bench.wants("bytes_per_log", *STORED_INPUTS):
        measured |= _stored(bench)
    if bench.wants("layer_mb", "ingest_modules", "process_chunk_modules"):
        with build.exclusive(), step("build") as current:
            build.build(current, build.layer_platform(runs_here=True))
        measured["layer_mb"] = Measured(build.layer_megabytes())
        for verb in ("ingest", "process_chunk"):
            count, seconds = imports(verb)
            measured[f"{verb}_modules"] = Measured(count, f"{seconds * 1000:.0f} ms at a cold start")
    if bench.wants(*COLD_INPUTS):
        measured |= _cold_starts(bench)
    return measured


class Imports(NamedTuple):
    """Modules and seconds."""

    modules: int
    seconds: float


def _stored(bench: Bench) -> dict[str, Measured]:
    """Of logs that the product stored, one chunk after the other: what that takes, and their bytes after a vacuum. More
    of them for their bytes, since Postgres extends a table by up to 64 pages before it needs them."""
    installation, count = bench.small, STORED_BATCHES * BATCH
    more = 3 if bench.is_quick else 5
    seconds = []
    for _ in range(2 if bench.is_quick else 5):
        installation.empty()
        installation.queue(STORED_BATCHES)
        installation.settle()
        seconds.append(installation.store(count, environments=False))
    chunk_ms = median(seconds) * 1_000 * CHUNK_LOGS / count
    for number in range(more):
        installation.queue_new(STORED_BATCHES, (number + 1) * BATCH)
        installation.store(count, environments=False)
    count *= 1 + more
    started = time.perf_counter()
    installation.ask("index")
    index_rate = count / (time.perf_counter() - started)
    installation.cursor.execute("VACUUM log_rows, ledger, word_filters")
    installation.cursor.execute(_SIZES)
    table, with_indexes, everything = (int(size) / count for size in installation.cursor.fetchone())
    content = float(installation.value(_CONTENT))
    bench.note(f"bytes_per_log with all indexes, ledger and word filters: {everything / content:.2f}")
    return {
        "bytes_per_log": Measured(table / content, f"{table:.0f} bytes for {content:.0f}"),
        "chunk_ms": Measured(chunk_ms),
        "index_rows_per_second": Measured(index_rate),
        "table_bytes_per_log": Measured(table),
        "table_and_index_bytes_per_log": Measured(with_indexes),
        "stored_bytes_per_log": Measured(everything),
    }


def _cold_starts(bench: Bench) -> dict[str, Measured]:
    """Milliseconds until a function has imported and made all that it needs, with the SDK that Lambda has installed."""
    settings = environments(bench.stack.connections)
    installed = Path(sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory() as folder:
        for name in AWS_SDK:
            (Path(folder) / name).symlink_to(installed / name)
        return {
            f"cold_ms_{verb}": Measured(
                1_000
                * imports(verb, Path(folder), environ=settings[verb] | {"AWS_DEFAULT_REGION": "us-east-1"}).seconds
            )
            for verb in FUNCTIONS
        }


def imports(verb: str, *folders: Path, environ: Mapping[str, str] | None = None) -> Imports:
    """What importing a function from the built layer takes in an interpreter of its own, the best of three: modules,
    and seconds; with its environment, until it has its dependencies, too."""
    paths = [str(path) for path in (REPOSITORY / "functions" / verb, build.LAYER, *folders)]
    command = [sys.executable, "-I", "-S", "-O", "-c", REPORT_IMPORTS, "start" if environ else "import", *paths]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=environ) for _ in range(3)]
    counts, seconds = zip(*(json.loads(run.stdout) for run in runs), strict=True)
    return Imports(counts[0], min(seconds))
