"""The deployed stack for a minute: one application hammers with 16 clients, a second one must hardly notice.

Nightly, or with FAULTS_LOAD_SECONDS. Half of the clients wait as long as Retry-After says, half never do. The second
application is measured alone, first, in the same run.
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
QUIET_SECONDS = 20
NOISY_SECONDS = 60
CLIENTS = 16
ANSWER_SECONDS = 60
IMPATIENT_PAUSE_SECONDS = 0.25  # 16 clients and the servers share two cores: this is what they have room for


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with deployed() as deployment:
        yield deployment


@dataclass
class Noise:
    """Clients of one application that send all they can until told to stop."""

    url: str
    key: str
    statuses: Counter[int] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = self.key
            while not self.over.is_set():
                answer = session.post(f"{self.url}/api/ingest", data=log_body(1), timeout=ANSWER_SECONDS)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 202:
                    continue
                if answer.json().get("violated-policies") != ["requests"]:
                    self.contradictions.append(answer.text)
                polite = number % 2 == 0
                self.over.wait(int(answer.headers["Retry-After"]) if polite else IMPATIENT_PAUSE_SECONDS)


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


def test_a_rate_holds_and_the_neighbour_does_not_feel_it(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    percentile_95(deployment, 5)
    quiet = percentile_95(deployment, QUIET_SECONDS)
    noise = Noise(deployment.url, limited_application(deployment))
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = []
        try:
            for number in range(CLIENTS):  # one by one: sixteen new environments at once would take half a minute
                clients.append(pool.submit(noise.run, number))
                percentile_95(deployment, 1)
            started, before = time.monotonic(), noise.statuses.copy()
            loud = percentile_95(deployment, NOISY_SECONDS)
            elapsed, counted = time.monotonic() - started, noise.statuses - before
        finally:
            noise.over.set()
        for client in clients:
            client.result()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{counted} in {elapsed:.1f} s; p95 {quiet * 1000:.0f} ms alone, {loud * 1000:.0f} ms beside them\n"
        )
    assert not noise.contradictions, noise.contradictions[:3]
    assert counted.keys() <= {202, 429}
    assert counted[202] <= RATE * elapsed * 1.02
    assert counted[202] >= RATE * elapsed * 0.98, "and the application gets what it may send"
    assert counted[429] > counted[202], "they did hammer"
    assert loud <= 2 * quiet
