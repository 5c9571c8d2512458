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

STORED_BATCHES, STORED_ROUNDS, QUICK_STORED_ROUNDS = 50, 6, 4
AWS_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
REPORT_IMPORTS = """
import json, sys, time
sys.path[:0] = sys.argv[2:]
before, started = set(sys.modules), time.perf_counter()
import app
if sys.argv[1] == "start":
    (getattr(app, "_dependencies", None) or app._sessions)()
seconds, modules = time.perf_counter() - started, len(set(sys.modules) - before)
import re
from pathlib import Path
status = Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1_000 if status.exists() else 0
print(json.dumps([modules, seconds, peak]))
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
            found = imports(verb, runs=_runs(bench))
            measured[f"{verb}_modules"] = Measured(found.modules, f"{found.seconds * 1000:.0f} ms at a cold start")
    if bench.wants(*COLD_INPUTS):
        measured |= _cold_starts(bench)
    return measured


class Imports(NamedTuple):
    """What importing takes; ``megabytes`` (10^6 bytes) is the most memory of the interpreter by then, 0 where the
    system does not tell."""

    modules: int
    seconds: float
    megabytes: float


def _stored(bench: Bench) -> dict[str, Measured]:
    """Of logs that the product stored, one chunk after the other: what that takes when it has seen them, and their
    bytes after a vacuum. Many of them, since Postgres extends a table by up to 64 pages before it needs them."""
    installation, count = bench.small, STORED_BATCHES * BATCH
    installation.empty()
    seconds = []
    for _ in range(QUICK_STORED_ROUNDS if bench.is_quick else STORED_ROUNDS):
        installation.queue_new(STORED_BATCHES, seed=0)
        installation.settle()
        seconds.append(installation.store(count, environments=False))
    chunk_ms = median(seconds[1:]) * 1_000 * CHUNK_LOGS / count
    count *= len(seconds)
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


def _runs(bench: Bench) -> int:
    return 1 if bench.is_quick else 3


def _cold_starts(bench: Bench) -> dict[str, Measured]:
    """Milliseconds until a function has imported and made all that it needs, with the SDK that Lambda has installed,
    and modules and memory by then."""
    settings = environments(bench.stack.connections)
    installed = Path(sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory() as folder:
        for name in AWS_SDK:
            (Path(folder) / name).symlink_to(installed / name)
        found = {
            verb: imports(
                verb,
                Path(folder),
                environ=settings[verb] | {"AWS_DEFAULT_REGION": "us-east-1"},
                runs=_runs(bench),
            )
            for verb in FUNCTIONS
        }
    return {
        f"cold_{what}_{verb}": Measured(value)
        for verb, each in found.items()
        for what, value in (("ms", 1_000 * each.seconds), ("modules", each.modules), ("mb", each.megabytes))
    }


def imports(verb: str, *folders: Path, environ: Mapping[str, str] | None = None, runs: int = 3) -> Imports:
    """What importing a function from the built layer takes in an interpreter of its own, the best of ``runs``; with its
    environment, until it has its dependencies, too."""
    paths = [str(path) for path in (REPOSITORY / "functions" / verb, build.LAYER, *folders)]
    command = [sys.executable, "-I", "-S", "-O", "-c", REPORT_IMPORTS, "start" if environ else "import", *paths]
    done = [subprocess.run(command, capture_output=True, text=True, check=True, env=environ) for _ in range(runs)]
    counts, seconds, megabytes = zip(*(json.loads(each.stdout) for each in done), strict=True)
    return Imports(counts[0], min(seconds), min(megabytes))
