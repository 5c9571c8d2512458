"""From logs to a webhook receiver, with runs of the watch that are killed and doubled in between.

Four applications at once: one whose watch is killed while it tells, one that is silenced, one whose receiver is down,
and one whose logs come late.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stack import Stack

pytestmark = pytest.mark.skipif("SLUICE_E2E_URL" in os.environ, reason="kills processes of the embedded stack")
WINDOW_SECONDS = 5
ENOUGH = 40  # for this test's rules, and too few for those that every application has


@dataclass
class Hook:
    """A webhook receiver. ``answer`` says what status a request gets, and may take its time."""

    answer: Callable[["Hook"], int] = lambda _: 200
    attempts: list[tuple[int, str, str]] = field(default_factory=list)  # status, type, id

    def __post_init__(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = hook.answer(hook)
                hook.attempts.append((status, document["type"], self.headers["webhook-id"]))
                with suppress(OSError):
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def messages(self) -> dict[str, set[str]]:
        """Ids of messages that the hook took, by type: one id is one message, however often it comes."""
        found: dict[str, set[str]] = {}
        for status, kind, message_id in self.attempts:
            if status == 200:
                found.setdefault(kind, set()).add(message_id)
        return found


@dataclass
class Place:
    """An application with one rule, that a few errors in a window break, and one channel."""

    url: str
    key: str
    hook: Hook

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.url}{path}", json=body, headers={"X-API-Key": self.key}, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    @classmethod
    def new(cls, url: str, admin_key: str, hook: Hook) -> "Place":
        admin, name = cls(url, admin_key, hook), f"e2e-{secrets.token_hex(4)}"
        admin.call("POST", "/api/applications", {"name": name})
        made = admin.call("POST", f"/api/applications/{name}/keys", {"scopes": ["ingest", "alerts"]})
        return cls(url, made["key"], hook)

    def prepare(self) -> None:
        rule = {"name": "Errors", "query": "level:error", "window_seconds": WINDOW_SECONDS, "above": 20}
        self.call("POST", "/api/rules", rule)
        target = f"http://127.0.0.1:{self.hook.server.server_port}/hook"
        self.call("POST", "/api/channels", {"name": "hook", "kind": "webhook", "target": target})

    def burst(self, at: datetime) -> None:
        """Errors of this time."""
        logs = [{"message": f"out of memory {n}", "level": "error", "timestamp": at.isoformat()} for n in range(ENOUGH)]
        self.call("POST", "/api/ingest", logs)

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Of what was to be told, the oldest first."""
        found = self.call("GET", "/api/deliveries")["deliveries"]
        return [(delivery["kind"], delivery["status"]) for delivery in found[::-1]]


@dataclass
class Watch:
    """The function watch of the embedded stack."""

    stack: Stack
    client: Any
    name: str
    pool: ThreadPoolExecutor
    killed: int = 0

    def run(self, times: int = 2) -> list[dict[str, Any]]:
        """Invocations at the same time; those that were killed have no answer."""
        return [answer for answer in self.pool.map(self._invoke, range(times)) if answer]

    def _invoke(self, _: int) -> dict[str, Any]:
        try:
            answer = self.client.invoke(FunctionName=self.name, Payload=b"{}")
        except (BotoCoreError, ClientError):
            return {}
        found: dict[str, Any] = json.loads(answer["Payload"].read() or b"{}")
        return {} if "FunctionError" in answer else found

    def kill(self) -> None:
        """SIGKILL to every process that runs the function in this stack."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environ = process.environ()
                is_ours = urlsplit(environ.get("REDIS_URL", "")).port == urlsplit(self.stack.redis_url).port
                if is_ours and environ.get("AWS_LAMBDA_FUNCTION_NAME") == self.name:
                    process.kill()
                    self.killed += 1


@pytest.fixture
def watch(stack: Stack, operator_environment: dict[str, str]) -> Iterator[Watch]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    client: Any = session.client("lambda", endpoint_url=operator_environment["AWS_ENDPOINT_URL"], config=config)
    names = [found["FunctionName"] for found in client.list_functions()["Functions"]]
    (name,) = (found for found in names if found.endswith("-watch"))
    with ThreadPoolExecutor(3) as pool:
        yield Watch(stack, client, name, pool)


def test_each_message_arrives_once_whatever_dies(url: str, admin_key: str, watch: Watch) -> None:
    is_telling, may_go_on, is_up = threading.Event(), threading.Event(), threading.Event()

    def wait_for_the_kill(hook: Hook) -> int:
        is_telling.set()
        may_go_on.wait(5)
        return 200

    steady, down = Hook(wait_for_the_kill), Hook(lambda _: 200 if is_up.is_set() else 503)
    places = [Place.new(url, admin_key, hook) for hook in (steady, Hook(), down, Hook())]
    killed, silenced, deaf, late = places
    for place in places:
        place.prepare()
    ends_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    matcher = {"label": "rule", "is": "=", "value": "Errors"}
    silenced.call("POST", "/api/silences", {"matchers": [matcher], "ends_at": ends_at})
    watch.run()

    began = datetime.now(UTC) + timedelta(seconds=WINDOW_SECONDS)  # in a window that every rule judges
    time.sleep(WINDOW_SECONDS)
    for place in (killed, silenced, deaf):
        place.burst(began)

    def kill_while_telling() -> None:
        is_telling.wait(30)
        watch.kill()
        may_go_on.set()

    killer = threading.Thread(target=kill_while_telling)
    killer.start()
    run_until(watch, lambda: is_telling.is_set() and len(down.attempts) > 0)
    killer.join()
    assert watch.killed > 0
    is_up.set()
    once = {"alert.firing": 1, "alert.resolved": 1}
    run_until(watch, lambda: down.messages.keys() >= once.keys())
    late.burst(began)
    run_until(watch, lambda: steady.messages.keys() >= once.keys() and bool(late.hook.messages))
    watch.kill()
    watch.run(3)
    for hook in (steady, down):
        assert {kind: len(ids) for kind, ids in hook.messages.items()} == once
        arrived = [message_id for status, _, message_id in hook.attempts if status == 200]
        assert len(arrived) - len(set(arrived)) <= (hook is steady)  # of the one that was cut off, at most
    assert down.attempts[0][2] in down.messages["alert.firing"]  # the id of the attempt that failed
    assert {kind: len(ids) for kind, ids in late.hook.messages.items()} == {"alert.corrected": 1}
    assert silenced.hook.attempts == []
    assert silenced.statuses[0] == ("firing", "silenced")
    assert killed.statuses == deaf.statuses == [("firing", "delivered"), ("resolved", "delivered")]


def run_until(watch: Watch, is_done: Callable[[], bool]) -> None:
    """Runs the watch again and again, two at a time."""
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline
        watch.run()
        time.sleep(0.3)
