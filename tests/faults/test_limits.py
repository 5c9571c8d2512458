"""The deployed stack for a minute: one application hammers with 16 clients, a second one must hardly notice.

Nightly, or with FAULTS_LOAD_SECONDS. Half of the clients wait as long as Retry-After says, half never do. In the same
run, in turns, the second application is measured alone, beside the same clients with a key that nobody knows (401: what
requests cost that Sluice refuses at first sight, where clients, emulator and servers share the processors), and beside
them as they are.
"""

import itertools
import os
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import requests

from faults.harness.deployment import Deployment, deployed
from faults.harness.load import log_body
from faults.harness.sizes import LOAD_SECONDS

if not LOAD_SECONDS:
    pytest.skip("for the nightly size", allow_module_level=True)

pytestmark = pytest.mark.timeout(900)

RATE = 20  # requests per second
ROUNDS = 3
QUIET_SECONDS = 10
NOISY_SECONDS = 20
CLIENTS = 16
ANSWER_SECONDS = 60
IMPATIENT_PAUSE_SECONDS = 0.25  # 16 clients and the servers share two cores: this is what they have room for
UNKNOWN_KEY = "slc_nobody"


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with deployed() as deployment:
        yield deployment


@dataclass
class Noise:
    """Clients that send all they can with ``key``, and nothing while it is None, until told to stop."""

    url: str
    key: str | None
    statuses: Counter[int] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        with requests.Session() as session:
            while not self.over.is_set():
                if (key := self.key) is None:
                    self.over.wait(IMPATIENT_PAUSE_SECONDS)
                    continue
                headers = {"X-API-Key": key}
                url = f"{self.url}/api/ingest"
                answer = session.post(url, data=log_body(1), headers=headers, timeout=ANSWER_SECONDS)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 202:
                    continue
                if answer.status_code != 401 and answer.json().get("violated-policies") != ["requests"]:
                    self.contradictions.append(answer.text)
                polite = number % 2 == 0
                self.over.wait(int(answer.headers.get("Retry-After", 1)) if polite else IMPATIENT_PAUSE_SECONDS)


def percentile_95(deployment: Deployment, seconds: float) -> float:
    """Of the seconds that a POST takes for the application of the deployment, at four a second."""
    taken: list[float] = []
    with requests.Session() as session:
        session.headers["X-API-Key"] = deployment.key
        for beat in itertools.count():
            if beat / 4 >= seconds:
                break
            started = time.monotonic()
            answer = session.post(f"{deployment.url}/api/ingest", data=log_body(1), timeout=ANSWER_SECONDS)
            taken.append(time.monotonic() - started)
            assert answer.status_code == 202, answer.text
            time.sleep(max(0.0, 0.25 - taken[-1]))
    return statistics.quantiles(taken, n=20)[-1]


def limited_application(deployment: Deployment) -> str:
    """The key of a new application that may send RATE requests a second."""
    name = f"noisy-{secrets.token_hex(4)}"
    environ = os.environ | deployment.stack.environment
    for command in (["apps", "create", name], ["keys", "create", name, "--scope", "ingest"]):
        done = subprocess.run(["sluice", *command], env=environ, capture_output=True, text=True, check=True)
    deployment.database.rows("UPDATE applications SET requests_per_second = %s WHERE name = %s", RATE, name)
    return done.stdout.strip().splitlines()[-1]


@dataclass
class Phase:
    """What was measured with one key: the neighbour's 95th percentiles (s), and what the clients were answered."""

    percentiles: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0

    @property
    def p95(self) -> float:
        return statistics.median(self.percentiles)

    def measure(self, deployment: Deployment, noise: Noise, key: str | None, seconds: float) -> None:
        noise.key = key
        percentile_95(deployment, 2)
        started, before = time.monotonic(), noise.statuses.copy()
        self.percentiles.append(percentile_95(deployment, seconds))
        self.seconds += time.monotonic() - started
        self.statuses += noise.statuses - before
        noise.key = None

    def __str__(self) -> str:
        times = ", ".join(f"{seconds * 1000:.0f}" for seconds in self.percentiles)
        return f"p95 {self.p95 * 1000:.0f} ms ({times}) beside {dict(self.statuses)} in {self.seconds:.1f} s"


def test_a_rate_holds_and_the_neighbour_does_not_feel_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    percentile_95(deployment, 5)
    limited = limited_application(deployment)
    noise = Noise(deployment.url, limited)
    quiet, unknown, throttled = Phase(), Phase(), Phase()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = []
        try:
            for number in range(CLIENTS):  # one by one: sixteen new environments at once would take half a minute
                clients.append(pool.submit(noise.run, number))
                percentile_95(deployment, 1)
            for _ in range(ROUNDS):
                quiet.measure(deployment, noise, None, QUIET_SECONDS)
                unknown.measure(deployment, noise, UNKNOWN_KEY, NOISY_SECONDS)
                throttled.measure(deployment, noise, limited, NOISY_SECONDS)
        finally:
            noise.over.set()
        for client in clients:
            client.result()
    with capsys.disabled():
        sys.stdout.write(f"\nalone: {quiet}\nunknown key: {unknown}\nover the rate: {throttled}\n")
    assert not noise.contradictions, noise.contradictions[:3]
    assert throttled.statuses.keys() <= {202, 429}
    assert throttled.statuses[202] <= RATE * throttled.seconds * 1.02
    assert throttled.statuses[202] >= RATE * throttled.seconds * 0.98, "and the application gets what it may send"
    assert throttled.statuses[429] > throttled.statuses[202], "they did hammer"
    assert throttled.p95 <= 2 * quiet.p95
