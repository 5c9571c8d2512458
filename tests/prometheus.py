"""A real Prometheus for tests: one that is installed, else the distribution's package in build/prometheus."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded.debian import can_unpack, unpack
from stack import BUILD, REPOSITORY

SOURCES = REPOSITORY / "infra" / "monitoring" / "prometheus"
UNPACKED = BUILD / "prometheus"
PATIENCE_SECONDS = 20


def program(name: str) -> str:
    """Path of ``prometheus`` or ``promtool``; skips where there is no way to get them."""
    if installed := shutil.which(name):
        return installed
    if not UNPACKED.is_dir():
        if not can_unpack():
            pytest.skip(f"{name} is not installed, and there is no Debian package to unpack")
        unpack("prometheus", UNPACKED, ["usr/bin/promtool", "--version"])
    return str(UNPACKED / "usr" / "bin" / name)


def promtool(*arguments: str, directory: Path = SOURCES, text: str | None = None) -> None:
    """Runs a check; the test fails with what promtool says."""
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=directory, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series at this moment."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", (expression, answer)
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def get(self, path: str) -> Any:
        """The data of an API's answer."""
        return requests.get(f"{self.url}{path}", timeout=10).json()["data"]

    def wait_for(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What the query returns once it returns anything."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"no data: {expression}\n{self.get('/api/v1/targets')}"
            time.sleep(0.2)
        return found


@contextmanager
def running_prometheus(directory: Path) -> Iterator[Prometheus]:
    """Runs the product's own configuration, copied into ``directory``, but scrapes each second. ``directory/targets``
    says what."""
    configuration = (SOURCES / "prometheus.yml").read_text()
    (directory / "prometheus.yml").write_text(configuration.replace("_interval: 15s", "_interval: 1s"))
    shutil.copy(SOURCES / "rules.yml", directory)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    arguments = [
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (directory / "log").open("w") as log:
        server = subprocess.Popen([program("prometheus"), *arguments], stdout=log, stderr=log, env=dict(os.environ))
        try:
            _wait_until_ready(f"http://{address}", server, directory / "log")
            yield Prometheus(f"http://{address}")
        finally:
            server.terminate()
            server.wait(10)


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if requests.get(f"{url}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
