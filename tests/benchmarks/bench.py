"""What the measurements share: servers of their own, the contenders on them, and how thorough to be."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

import redis

from benchmarks.contender import Contender
from benchmarks.day import MANY, QUICK_MANY, fill
from benchmarks.deployment import Deployment
from benchmarks.figures import BenchError
from benchmarks.installation import Installation
from benchmarks.limits import RawCopy
from benchmarks.logs import BATCH, batch, compressed, make_logs, single
from scratch import execute_as_superuser
from stack import BUILD, REPOSITORY, Stack

START_SECONDS = 20
CHUNKS_AT_ONCE = 4  # of a drain, as in template.yaml
BASELINE = BUILD / "baseline" / "bin"
# One Redis database for each contender; the deployed stack has 0.
FULL_REDIS, SMALL_REDIS, BASELINE_REDIS, BROKER_REDIS, RAW_REDIS, PLAIN_REDIS = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Bench:
    """Everything that runs; contenders start when they are first asked for, and end with ``exits``."""

    stack: Stack
    exits: ExitStack
    keys: frozenset[str]  # what is to be measured
    is_quick: bool
    note: Callable[[str], None]  # a line for people, below the table

    def wants(self, *keys: str) -> bool:
        return not self.keys.isdisjoint(keys)

    def prepare(self, names: Collection[str]) -> None:
        """Starts what these properties hold while nothing is measured yet: those that keep one core busy for long
        beside each other and all others."""
        slow = [name for name in names if name in ("deployment", "full")]
        pool = ThreadPoolExecutor(len(slow) + 1)
        try:
            started = [pool.submit(getattr, self, name) for name in slow]
            for name in names:
                if name not in slow:
                    getattr(self, name)
            for future in started:
                future.result()
        finally:
            pool.shutdown(wait=False)  # what failed is told now: the rest fails when the servers stop

    def redis_url(self, database: int) -> str:
        return f"{self.stack.redis_url.rpartition('/')[0]}/{database}"

    def redis(self, database: int) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url(database))

    def create_database(self, name: str) -> str:
        """An empty database of the owner's; returns its URL through PgBouncer."""
        execute_as_superuser(self.stack, f"CREATE DATABASE {name} OWNER sluice_owner")
        return self.stack.database_url("sluice_owner", name)

    @cached_property
    def small(self) -> Installation:
        """Sluice's handlers, see product.py, where few logs are stored."""
        return Installation(self.stack, "small", SMALL_REDIS, self.exits)

    @cached_property
    def plain(self) -> Installation:
        """The same, storing without templates."""
        return Installation(self.stack, "plain", PLAIN_REDIS, self.exits, templates=False)

    @cached_property
    def full(self) -> Installation:
        """The same, where a day of many logs is stored, with word filters if they are searched."""
        installation = Installation(self.stack, "full", FULL_REDIS, self.exits)
        count = QUICK_MANY if self.is_quick else MANY
        seconds = fill(installation, count, has_filters=self.wants("search_vs_scan"))
        self.note(f"{count:,} rows were filled in at {count / seconds:,.0f}/s, while other things started")
        return installation

    @cached_property
    def baseline_environ(self) -> dict[str, str]:
        """What baseline.py reads, in its environment and in those of its worker and server."""
        url = urlsplit(self.create_database("bench_baseline"))
        return os.environ | {
            "PYTHONPATH": str(REPOSITORY / "tests"),
            "PYTHONOPTIMIZE": "1",
            "BASELINE_PGBOUNCER_PORT": str(url.port),
            "BASELINE_DATABASE": "bench_baseline",
            "BASELINE_PASSWORD": url.password or "",
            "BASELINE_REDIS_URL": self.redis_url(BASELINE_REDIS),
            "BASELINE_BROKER_URL": self.redis_url(BROKER_REDIS),
            "BASELINE_KEY": secrets.token_hex(16),
        }

    @cached_property
    def baseline(self) -> Contender:
        """The classic architecture, see baseline.py."""
        command = [str(BASELINE / "python"), "-m", "benchmarks.baseline"]
        return self._contender("baseline", command, self.baseline_environ)

    @cached_property
    def copy(self) -> RawCopy:
        """The physical limit of storing, see limits.py."""
        return RawCopy(self.create_database("bench_reference"))

    @cached_property
    def worker(self) -> None:
        """The baseline's Celery worker, in two processes."""
        _ = self.baseline
        options = ["--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
        self._start("worker", ["celery", "-A", "benchmarks.baseline", "worker", "--without-heartbeat", *options])

    @cached_property
    def server(self) -> str:
        """The baseline's view behind gunicorn, in two processes; its URL."""
        _ = self.baseline, self.worker
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        address = f"127.0.0.1:{port}"
        options = ["--workers", "2", "--threads", "4", "--worker-class", "gthread", "--keep-alive", "75"]
        self._start("server", ["gunicorn", "--bind", address, *options, "benchmarks.baseline:application"])
        _wait_for(port)
        return f"http://{address}"

    @cached_property
    def deployment(self) -> Deployment:
        """The product as a whole, see deployment.py, storing without templates; who measures has its queue drained."""
        deployment = Deployment(self.stack, templates="off")
        deployment.end_schedule()
        if self.wants("end_to_end_vs_copy", "end_to_end_vs_baseline"):
            deployment.warm_up(self.batches, CHUNKS_AT_ONCE)
        return deployment

    @cached_property
    def batches(self) -> list[bytes]:
        """Gzip bodies of a thousand logs each."""
        now = datetime.now(UTC)
        blocks = [batch(make_logs(BATCH, seed), now) for seed in range(10)]
        return [compressed(block.vary(seed)) for seed, block in enumerate(4 * blocks)]

    @cached_property
    def singles(self) -> list[bytes]:
        """Bodies of one log each."""
        now = datetime.now(UTC)
        return [single(log, now).vary(seed) for seed, log in enumerate(make_logs(1_000))]

    def _start(self, name: str, command: list[str]) -> None:
        """Runs a program of the baseline's environment until the end."""
        program, *arguments = command
        with (self.stack.state / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(BASELINE / program), *arguments],
                env=self.baseline_environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        self.exits.callback(process.wait)
        self.exits.callback(os.killpg, process.pid, signal.SIGKILL)  # nothing that it holds is needed any more

    def _contender(self, name: str, command: list[str], environ: dict[str, str]) -> Contender:
        return self.exits.enter_context(Contender(command, environ, self.stack.state / f"{name}.log"))


def _wait_for(port: int) -> None:
    """Returns when a server accepts connections. Raises BenchError if none does in time."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise BenchError("the baseline's server does not start")
        time.sleep(0.05)
