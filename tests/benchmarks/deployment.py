"""The whole product deployed to the benchmark's servers: the API's URL, keys, and what is stored."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import boto3
import psycopg2
from botocore.config import Config

from benchmarks.clients import CLIENTS, Request, flood, repeating, wait_until_stored
from benchmarks.figures import BenchError
from benchmarks.logs import BATCH
from benchmarks.sizing import CHUNK_LOGS
from stack import REPOSITORY, Stack

FUNCTION_PREFIX = "sluice-local-"
PROGRAMS = REPOSITORY / "build" / "venv" / "bin"
# No limit is reached, as in deployed.py. The benchmark itself has the queue drained, except where it measures that.
PARAMETERS = {
    "ThrottleRate": 10_000,
    "ThrottleBurst": 5_000,
    "RequestsPerSecond": 10_000,
    "BytesPerSecond": 10**11,
    "BytesPerDay": 10**15,
}


class Deployment:
    """Sluice on the embedded stack, one application for each client."""

    def __init__(self, stack: Stack, mode: str = "tick", templates: str = "on") -> None:
        """``mode``, ``templates``: as DrainMode and Templates in the template."""
        self.stack = stack
        self.url = self._deploy(PARAMETERS | {"DrainMode": mode, "Templates": templates})
        self._lambda = self.client("lambda")
        self.keys = [self._create_key(f"client-{number}") for number in range(CLIENTS)]

    def _deploy(self, parameters: Mapping[str, object]) -> str:
        """The API's URL, without a trailing slash."""
        options = [option for name, value in parameters.items() for option in ("--parameter", f"{name}={value}")]
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "up", "--state", str(self.stack.state), *options],
            env=os.environ
            | {"PYTHONPATH": str(REPOSITORY / "infra"), "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
            | self.stack.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )
        if done.returncode:
            raise BenchError(f"the product cannot be deployed: {done.stdout}{done.stderr}")
        return done.stdout.strip().splitlines()[-1].rstrip("/")

    def have_ingest_wake(self) -> None:
        """As with DrainMode=wake, but without a deployment: ingest knows whom to wake."""
        self._configure("ingest", "DRAIN_FUNCTION", f"{FUNCTION_PREFIX}drain")

    def end_schedule(self) -> None:
        """No function starts by itself any more, and a drain that ticks ends: an update ends what runs."""
        events = self.client("events")
        for rule in events.list_rules()["Rules"]:
            events.disable_rule(Name=rule["Name"])
        self._configure("drain", "SCHEDULE", "none")

    def set_templates(self, value: str) -> None:
        """As with Templates=on or off, but without a deployment."""
        self._configure("process-chunk", "TEMPLATES", value)

    def _configure(self, function: str, variable: str, value: str) -> None:
        name = f"{FUNCTION_PREFIX}{function}"
        environment = self._lambda.get_function_configuration(FunctionName=name)["Environment"]
        environment["Variables"][variable] = value
        self._lambda.update_function_configuration(FunctionName=name, Environment=environment)

    def client(self, service: str) -> Any:
        """An AWS client that calls nothing twice."""
        session: Any = boto3.Session("test", "test", region_name="us-east-1")
        config = Config(read_timeout=120, retries={"total_max_attempts": 1}, max_pool_connections=CLIENTS)
        return session.client(service, endpoint_url=self.stack.aws_endpoint_url, config=config)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """A function's answer. Raises BenchError with its error."""
        response = self._lambda.invoke(FunctionName=FUNCTION_PREFIX + function, Payload=json.dumps(event))
        answer = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise BenchError(f"{function}: {answer}")
        return answer

    def _create_key(self, name: str) -> str:
        self.invoke("admin", {"action": "create_application", "name": name})
        created = self.invoke("admin", {"action": "create_key", "application": name, "scopes": ["ingest", "read"]})
        return str(created["key"])

    @cached_property
    def _cursor(self) -> Any:
        connection = psycopg2.connect(self.stack.database_url("postgres", direct=True))
        connection.autocommit = True
        return connection.cursor()

    def requests(self, bodies: Sequence[bytes]) -> list[Request]:
        """What each client sends: these gzip bodies of a thousand logs, with the key of an application of its own."""
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return [Request(f"{self.url}/api/ingest", headers | {"X-API-Key": key}, bodies, BATCH) for key in self.keys]

    def draining(self) -> AbstractContextManager[None]:
        """Drains one after the other beside the block: the schedule's ten seconds say nothing about the rate."""
        return repeating(lambda: self.invoke("drain", {}), 0.05)

    def warm_up(self, bodies: Sequence[bytes], chunks: int) -> None:
        """Has an execution environment of ingest start for each client, and of process_chunk for so many chunks: one
        more starts only when all others are busy, so it takes as many requests and chunks at once."""
        before, accepted = self.stored(), 0
        while accepted < chunks * CHUNK_LOGS:
            accepted += flood(self.requests(bodies), 0.1)
        with self.draining():
            wait_until_stored(before + accepted, self.stored)

    def stored(self) -> int:
        """Logs that are committed, of all applications."""
        self._cursor.execute("SELECT coalesce(sum(stored_count), 0) FROM ledger")
        return int(self._cursor.fetchone()[0])

    def empty(self) -> None:
        """Empties the log tables."""
        self._cursor.execute("TRUNCATE log_rows, ledger, event_time_bounds, template_counts, word_filters")
        self._cursor.execute("CHECKPOINT")
