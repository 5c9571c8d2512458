"""Sluice's own handlers in a process that the benchmark drives: called with the events that Lambda would hand them.

Run with PYTHONOPTIMIZE=1, as deployed. Each function reads its settings from the environment that it would have; a
chunk runs in one of several forked processes, which stand for process_chunk's execution environments, or right here.
"""

import io
import json
import os
import queue
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any

from apps import load_app
from benchmarks.contender import serve
from benchmarks.logs import APPLICATIONS, BATCH, batch, compressed, make_logs, single
from invocations import LambdaContext
from lambda_events import rest_event
from sluice.chunks.model import ChunkResult, ChunkTask

CONTEXT = LambdaContext(remaining_ms=600_000)
ACTIONS = ("ingest_single", "ingest_batches", "ingest", "log_bytes", "store", "pages", "search", "index")
VARIANTS = 20  # different bodies of a form


def run_environment(pipe: Connection) -> None:
    """One execution environment of process_chunk: events in, answers out."""
    app = load_app("process_chunk")
    while True:
        try:
            event = pipe.recv()
        except EOFError:
            return
        pipe.send(app.handler(event, CONTEXT))


class Environments:
    """Runs chunks in ``count`` processes; see ChunkRunner."""

    def __init__(self, count: int) -> None:
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        context = get_context("fork")
        for _ in range(count):
            here, there = context.Pipe()
            context.Process(target=run_environment, args=(there,), daemon=True).start()
            self._idle.put(here)

    def run(self, task: ChunkTask) -> ChunkResult:
        pipe = self._idle.get()
        pipe.send(json.loads(json.dumps(task.to_event())))
        answer = pipe.recv()
        self._idle.put(pipe)
        return ChunkResult.from_answer(answer)


class Here:
    """Runs chunks one after the other in this process; see ChunkRunner."""

    def __init__(self) -> None:
        self._turn = Lock()

    def run(self, task: ChunkTask) -> ChunkResult:
        with self._turn:
            return ChunkResult.from_answer(load_app("process_chunk").handler(task.to_event(), CONTEXT))


@dataclass
class Product:
    """The actions."""

    keys: list[str]  # of applications with the ids 1, 2, ...
    admin_key: str
    drain: Any
    environments: Environments

    def ingest_single(self, count: int, seed: int) -> float:
        """Seconds for ``count`` requests of one log each."""
        now = datetime.now(UTC)
        logs = make_logs(count, seed)
        return self._ingest([single(log, now).vary(seed) for log in logs], is_compressed=False)

    def ingest_batches(self, count: int, seed: int) -> float:
        """Seconds for ``count`` gzip requests of a thousand logs each."""
        return self._ingest(_batches(count, seed, BATCH), is_compressed=True)

    def ingest(self, size: int, count: int, seed: int) -> float:
        """Seconds for ``count`` requests of ``size`` logs each, in gzip if that is more than one."""
        if size == 1:
            return self.ingest_single(count, seed)
        return self._ingest(_batches(count, seed, size), is_compressed=True)

    def log_bytes(self, size: int) -> int:
        """Bytes that ingest writes to its log for a request of ``size`` logs."""
        with redirect_stdout(io.StringIO()) as log:
            self.ingest(size, 1, 0)
        return len(log.getvalue().encode())

    def store(self, count: int, environments: bool, settings: dict[str, int]) -> float:
        """Seconds in which one drain stores the ``count`` logs that are queued."""
        runner = self.environments if environments else Here()
        app = load_app("drain")
        drain = replace(self.drain, runner=runner, settings=replace(self.drain.settings, **settings))
        app._dependencies = lambda: drain
        started = time.perf_counter()
        report = app.handler({}, CONTEXT)
        seconds = time.perf_counter() - started
        if report["backlog_entries"] or report["chunks_failed"] or report["stored"] != count:
            raise RuntimeError(f"the drain did not store all: {report}")
        return seconds

    def pages(self, query: dict[str, str], count: int) -> list[float]:
        """Seconds for each of ``count`` equal requests of the first application's key."""
        return [self._get(query, self.keys[0])[0] for _ in range(count)]

    def search(self, query: dict[str, str], is_all: bool) -> dict[str, float]:
        """Seconds until the first page is there, or all pages are, for a key that sees all applications; and how many
        logs were found."""
        seconds, answer = self._get(query, self.admin_key)
        found = len(answer["logs"])
        while is_all and answer["next_cursor"]:
            more, answer = self._get(query | {"cursor": answer["next_cursor"]}, self.admin_key)
            seconds, found = seconds + more, found + len(answer["logs"])
        return {"seconds": seconds, "found": found}

    def index(self) -> int:
        """Makes the word filters that are missing; returns of how many rows."""
        total = 0
        while rows := load_app("index").handler({}, CONTEXT)["rows"]:
            total += rows
        return total

    def _get(self, query: dict[str, str], key: str) -> tuple[float, Any]:
        event = rest_event("GET", "/api/logs", headers={"X-API-Key": key}, query=query)
        started = time.perf_counter()
        answer = load_app("query").handler(event, CONTEXT)
        seconds = time.perf_counter() - started
        if answer["statusCode"] != 200:
            raise RuntimeError(f"query answers {answer}")
        return seconds, json.loads(answer["body"])

    def _ingest(self, bodies: list[bytes], *, is_compressed: bool) -> float:
        encoding = {"Content-Encoding": "gzip"} if is_compressed else {}
        events = [
            rest_event("POST", "/api/ingest", body, headers={"X-API-Key": self.keys[n % APPLICATIONS]} | encoding)
            for n, body in enumerate(bodies)
        ]
        handler = load_app("ingest").handler
        started = time.perf_counter()
        answers = [handler(event, CONTEXT) for event in events]
        seconds = time.perf_counter() - started
        if {answer["statusCode"] for answer in answers} != {202}:
            raise RuntimeError(f"ingest answers {next(a for a in answers if a['statusCode'] != 202)}")
        return seconds


def _batches(count: int, seed: int, size: int) -> list[bytes]:
    return list(islice(cycle(_bodies(seed, size)), count))


@lru_cache(maxsize=8)  # they take as long to make as to send
def _bodies(seed: int, size: int) -> list[bytes]:
    now = datetime.now(UTC)
    blocks = [batch(make_logs(size, seed + number), now) for number in range(5)]
    return [compressed(block.vary(seed + n)) for n, block in enumerate(blocks * (VARIANTS // 5))]


def start(environments: dict[str, dict[str, str]]) -> Product:
    """Migrates, makes applications with keys, and loads each function with the environment that it is deployed with."""
    for function, environ in environments.items():
        os.environ.update(environ)
        if function == "process_chunk":
            pool = Environments(int(os.environ.get("BENCH_MOST_AT_ONCE") or environments["drain"]["CHUNK_CONCURRENCY"]))
        load_app(function)._dependencies()
    load_app("admin").handler({"action": "migrate"}, CONTEXT)
    keys = [_create_key(f"bench-{number}", "ingest", "read") for number in range(APPLICATIONS)]
    return Product(keys, _create_key("operators", "read", "admin"), load_app("drain")._dependencies(), pool)


def _create_key(application: str, *scopes: str) -> str:
    """A key of a new application."""
    admin = load_app("admin").handler
    admin({"action": "create_application", "name": application}, CONTEXT)
    return str(admin({"action": "create_key", "application": application, "scopes": list(scopes)}, CONTEXT)["key"])


def actions() -> dict[str, Callable[..., Any]]:
    """Starts with the environments in BENCH_ENVIRONMENTS."""
    product = start(json.loads(os.environ["BENCH_ENVIRONMENTS"]))
    return {name: getattr(product, name) for name in ACTIONS}


if __name__ == "__main__":
    serve(actions)
