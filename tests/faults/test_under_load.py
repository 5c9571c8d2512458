"""The deployed stack under load while its servers are killed or paused in turn; nightly, or with FAULTS_LOAD_SECONDS.

Redis writes through to the disk at each request (appendfsync always), so that nothing acknowledged may be missing.
"""

import itertools
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
import requests

from faults.harness.deployment import Deployment, deployed
from faults.harness.load import log_body
from faults.harness.oracle import Oracle, assert_possible
from faults.harness.scores import Scoreboard
from faults.harness.sizes import LOAD_SECONDS
from sluice.ledger.model import Totals
from stack import Stack

if not LOAD_SECONDS:
    pytest.skip("for the nightly size", allow_module_level=True)

pytestmark = pytest.mark.timeout(LOAD_SECONDS + 900)

REQUESTS_PER_SECOND = 50
BATCH_SIZE = 100
CLIENTS = 16
FAULT_EVERY_SECONDS = 20
PAUSE_SECONDS = 5
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 30
DRAINED_WITHIN_SECONDS = 300  # what a dead drain held is handed out again after 90 s, at the schedule's next start
SERVERS = ("redis", "pgbouncer", "postgres")


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("SLUICE_REDIS_APPENDFSYNC", "always")
        with deployed() as deployment:
            yield deployment


@dataclass
class Load:
    """Clients that share one beat: request n is due at n / REQUESTS_PER_SECOND, and late ones are caught up on."""

    deployment: Deployment
    oracle: Oracle
    retries: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, seconds: float) -> None:
        """Sends for so long, and until all that was begun has been acknowledged."""
        started, count = time.monotonic(), int(seconds * REQUESTS_PER_SECOND)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for client in [pool.submit(self._client, started, count) for _ in range(CLIENTS)]:
                client.result()

    def _client(self, started: float, count: int) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = self.deployment.key
            while (number := next(self._numbers)) < count:
                time.sleep(max(0.0, started + number / REQUESTS_PER_SECOND - time.monotonic()))
                answer = self._deliver(session, log_body(BATCH_SIZE), secrets.token_hex(8))
                self.oracle.acknowledge(answer["batch_id"], frozenset(range(BATCH_SIZE)))

    def _deliver(self, session: requests.Session, body: bytes, token: str) -> Any:
        while True:
            try:
                answer = session.post(
                    f"{self.deployment.url}/api/ingest",
                    data=body,
                    headers={"Idempotency-Key": token, "Content-Type": "application/json"},
                    timeout=ANSWER_SECONDS,
                )
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code == 202:
                return answer.json()
            assert answer is None or answer.status_code in (429, 500, 502, 503, 504), answer.text
            self.retries += 1
            time.sleep(RETRY_SECONDS)


class Faults(threading.Thread):
    """Kills and pauses the servers in turn."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._stop_breaking = threading.Event()
        self.done: list[str] = []

    def run(self) -> None:
        for what, server in itertools.cycle(itertools.product(("kill", "pause"), SERVERS)):
            if self._stop_breaking.wait(FAULT_EVERY_SECONDS):
                return
            if what == "kill":
                self._stack.kill(server)
            else:
                self._pause(server)
            self.done.append(f"{what} {server}")

    def _pause(self, server: str) -> None:
        pid = self._stack.pid(server)
        assert pid is not None, server
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        _signal(processes, signal.SIGSTOP)
        try:
            self._stop_breaking.wait(PAUSE_SECONDS)
        finally:
            _signal(processes, signal.SIGCONT)

    def stop(self) -> None:
        self._stop_breaking.set()
        self.join()


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        if process.is_running():
            os.kill(process.pid, number)


class LedgerReader(threading.Thread):
    """Asks GET /api/ledger every second; ``problems`` holds answers that can never be right."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(daemon=True)
        self._deployment = deployment
        self._stop_reading = threading.Event()
        self.problems: list[str] = []
        self.reads = 0

    def run(self) -> None:
        while not self._stop_reading.wait(1):
            if (totals := self.read()) is None:
                continue
            self.reads += 1
            try:
                assert_possible(totals)
                assert totals.unaccounted == 0, totals
                assert not totals.queue_rolled_back, totals
            except AssertionError as error:
                self.problems.append(str(error))

    def read(self) -> Totals | None:
        """The application's numbers; None while the servers behind it are down."""
        headers = {"X-API-Key": self._deployment.key}
        try:
            answer = requests.get(f"{self._deployment.url}/api/ledger", headers=headers, timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return None
        return Totals(**answer.json()["total"]) if answer.status_code == 200 else None

    def stop(self) -> None:
        self._stop_reading.set()
        self.join()

    def wait_until_drained(self) -> float:
        """Returns when nothing is in flight; the seconds that it took."""
        started = time.monotonic()
        while (totals := self.read()) is None or totals.in_flight:
            assert time.monotonic() - started < DRAINED_WITHIN_SECONDS, f"still in flight: {totals}"
            time.sleep(1)
        return time.monotonic() - started


def test_every_202_is_stored_once(deployment: Deployment, scoreboard: Scoreboard) -> None:
    oracle = Oracle(deployment.database, deployment.stack.redis_url, {deployment.application_id()})
    load, faults, ledger = Load(deployment, oracle), Faults(deployment.stack), LedgerReader(deployment)
    started = time.monotonic()
    faults.start()
    ledger.start()
    load.run(LOAD_SECONDS)
    rate = len(oracle.acknowledged) * BATCH_SIZE / (time.monotonic() - started)
    faults.stop()
    recovery_seconds = ledger.wait_until_drained()
    ledger.stop()
    verdict = oracle.judge()
    what = f"{rate:,.0f} logs/s for {LOAD_SECONDS} s, {load.retries} retries, ledger read {ledger.reads} times"
    scoreboard.add(
        "F4", what, verdict, rounds=len(faults.done), hit=len(faults.done), recovery_seconds=recovery_seconds
    )
    assert verdict.is_clean, verdict
    assert verdict.dead == 0
    assert not ledger.problems, ledger.problems[:3]
    oracle.assert_settled(verdict)
