"""The live tail under load, for as long as wanted: `make test-tail MINUTES=30`. Nothing may be missed or doubled.

A sender sends batches at fixed times, however long the answers take; followers, each with a limit of its own, ask for
the next page as a client does. Prints how long after its 202 a log was shown. Imports nothing of Sluice.
"""

import os
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

SECONDS = float(os.environ.get("SLUICE_E2E_TAIL_SECONDS", "3"))
RATE = int(os.environ.get("SLUICE_E2E_TAIL_RATE", "125"))  # logs a second
BATCH = 50
LIMITS = (RATE // 2 + 70, RATE // 2 + 320, 1_000)  # the first two end within batches, all are faster than the sender
CATCH_UP_SECONDS = 60


class Follower(threading.Thread):
    """Follows the tail until told to end."""

    def __init__(self, url: str, headers: dict[str, str], query: str, limit: int) -> None:
        super().__init__(daemon=True)
        self._url, self._headers = url, headers
        self._query = {"q": query, "limit": str(limit), "wait": "5"}
        self._session = requests.Session()
        self.seen: Counter[str] = Counter()
        self.shown_at: dict[str, float] = {}
        self.is_over = False
        self._cursor = self._ask()["cursor"]

    def _ask(self, **more: str) -> Any:
        answer = self._session.get(
            f"{self._url}/api/tail", params=self._query | more, headers=self._headers, timeout=35
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self) -> None:
        while not self.is_over:
            answer = self._ask(cursor=self._cursor)
            self._cursor = answer["cursor"]
            now = time.monotonic()
            for log in answer["logs"]:
                self.seen[log["id"]] += 1
                self.shown_at.setdefault(log["id"], now)
            time.sleep(answer["pause_seconds"])

    def delays(self, accepted_at: dict[str, float]) -> list[float]:
        """Seconds from a batch's 202 to the answer that shows a log of it, the shortest first."""
        return sorted(max(at - accepted_at[name.partition("-")[0]], 0) for name, at in self.shown_at.items())


class Sender:
    """Sends batches on schedule; ``accepted_at`` has when each was accepted, by its id."""

    def __init__(self, url: str, headers: dict[str, str], mark: str) -> None:
        self._url, self._headers = f"{url}/api/ingest", headers
        self._logs = [{"message": f"{mark} {number}"} for number in range(BATCH)]
        self._local = threading.local()
        self.accepted_at: dict[str, float] = {}

    def send(self) -> None:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        answer = self._local.session.post(self._url, json=self._logs, headers=self._headers, timeout=30)
        if answer.status_code == 202:
            self.accepted_at[answer.json()["batch_id"]] = time.monotonic()

    def send_for(self, seconds: float) -> None:
        start = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            for number in range(round(seconds * RATE / BATCH)):
                time.sleep(max(start + number * BATCH / RATE - time.monotonic(), 0))
                pool.submit(self.send)


@pytest.mark.timeout(SECONDS * 2 + 180)
def test_every_log_is_shown_once_under_load(url: str, make_key: Callable[..., str]) -> None:
    key = make_key("ingest", "read")
    headers, mark = {"X-API-Key": key}, f"tail{secrets.token_hex(6)}"
    followers = [Follower(url, headers, mark, limit) for limit in LIMITS]
    for follower in followers:
        follower.start()
    sender = Sender(url, headers, mark)
    sender.send_for(SECONDS)
    sent = Counter(f"{batch}-{number}" for batch in sender.accepted_at for number in range(BATCH))
    give_up_at = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < give_up_at and any(len(follower.seen) < len(sent) for follower in followers):
        time.sleep(0.2)
    for follower in followers:
        follower.is_over = True
    for follower in followers:
        follower.join(40)
        assert follower.seen == sent
        delays = follower.delays(sender.accepted_at)
        half, most, last = (delays[int(share * (len(delays) - 1))] for share in (0.5, 0.95, 1))
        sys.stdout.write(f"{len(sent)} logs; shown after {half:.2f} s (p50), {most:.2f} s (p95), {last:.2f} s (all)\n")
