"""The live tail under load, for as long as wanted: `make test-tail MINUTES=30`. Nothing may be missed or doubled.

Senders send batches all the time; followers, each with a limit of its own, ask for the next page as a client does.
Imports nothing of Sluice.
"""

import os
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests

SECONDS = float(os.environ.get("SLUICE_E2E_TAIL_SECONDS", "3"))
LIMITS = (120, 250, 1_000)  # the first ends within batches, and is still faster than the senders
SENDERS = 2
BATCH = 50
PAUSE_SECONDS = 0.8
CATCH_UP_SECONDS = 60


class Follower(threading.Thread):
    """Follows the tail until it has as many logs as it is to have, or nothing comes any more."""

    def __init__(self, url: str, headers: dict[str, str], query: str, limit: int) -> None:
        super().__init__(daemon=True)
        self._url, self._headers = url, headers
        self._query = {"q": query, "limit": str(limit), "wait": "5"}
        self.seen: Counter[str] = Counter()
        self.delays: list[float] = []
        self.ends_at: float | None = None
        self._cursor = self._ask()["cursor"]

    def _ask(self, **more: str) -> Any:
        answer = requests.get(f"{self._url}/api/tail", self._query | more, headers=self._headers, timeout=35)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self) -> None:
        while self.ends_at is None or time.monotonic() < self.ends_at:
            answer = self._ask(cursor=self._cursor)
            self._cursor = answer["cursor"]
            now = time.time()
            for log in answer["logs"]:
                self.seen[log["id"]] += 1
                self.delays.append(now - log["metadata"]["sent_at"])
            time.sleep(answer["pause_seconds"])


@pytest.mark.timeout(SECONDS * 2 + 180)
def test_every_log_is_shown_once_under_load(url: str, make_key: Callable[..., str]) -> None:
    key = make_key("ingest", "read")
    headers, mark = {"X-API-Key": key}, f"tail{secrets.token_hex(6)}"
    followers = [Follower(url, headers, mark, limit) for limit in LIMITS]
    for follower in followers:
        follower.start()
    sent: list[str] = []
    stop_at = time.monotonic() + SECONDS

    def send() -> None:
        while time.monotonic() < stop_at:
            logs: Any = [
                {"message": f"{mark} {number}", "metadata": {"sent_at": time.time()}} for number in range(BATCH)
            ]
            answer = requests.post(f"{url}/api/ingest", json=logs, headers=headers, timeout=30)
            if answer.status_code == 202:
                sent.extend(f"{answer.json()['batch_id']}-{number}" for number in range(BATCH))
            time.sleep(PAUSE_SECONDS)

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    give_up_at = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < give_up_at and any(len(follower.seen) < len(sent) for follower in followers):
        time.sleep(0.2)
    for follower in followers:
        follower.ends_at = time.monotonic()
    for follower in followers:
        follower.join(40)
        assert follower.seen == Counter(sent)
        delays = sorted(follower.delays)
        half, last = delays[len(delays) // 2], delays[-1]
        sys.stdout.write(f"{len(sent)} logs; shown after {half:.1f} s (half), {last:.1f} s (all)\n")
