"""The largest bodies that ingest allows, through its real handler, in the smallest memory that the template allows.

Each runs in a process of its own, whose peak of resident memory the system keeps. What Redis and Postgres would take is
not in it: fakes stand for them.
"""

import re
import subprocess
import sys

import pytest

from deploy.target import REPOSITORY

POST_LARGEST_BODY = """
import gzip, re, resource, sys
from dataclasses import replace
from pathlib import Path
from aws import LambdaContext, rest_event
from front import Front, app
from sluice.admission.model import Rates

def many(log, separator=b",", around=b"[]"):
    count = min(9_990, (limit - 2) // (len(log) + 1))
    return around[:1] + separator.join([log] * count) + around[1:]

limit = 16_777_216
bodies = {
    "lines": lambda: many(b'{"message":"' + b"m" * 1_600 + b'","unknown":1}', b"\\n", b""),
    "one log": lambda: b'{"message":"' + b"m" * (limit - 20) + b'"}',
    "wide characters": lambda: many(b'{"message":"\\xf0\\x9f\\x98\\x80' + b"m" * 65_000 + b'\\\\n"}', b",\\n \\n"),
    "false ends": lambda: many(
        b'{"message":"' + b"m" * 30_000 + b'","metadata":{"a":[' + b",".join([b"{}"] * 100) + b"]}}"
    ),
    "one list": lambda: b'{"message":"m","metadata":{"a":[' + b",".join([b"1"] * 999_990) + b"]}}",
    "otlp": lambda: b'{"resourceLogs":[{"scopeLogs":[{"logRecords":' + many(
        b'{"timeUnixNano":"1764000000000000000","body":{"stringValue":"' + b"m" * 600 + b'"},"attributes":['
        + b",".join(b'{"key":"k%d","value":{"stringValue":"v"}}' % number for number in range(10)) + b"]}"
    ) + b"}]}]}",
}
front = Front()
roomy = replace(front.settings, max_body_bytes=2**22, max_inflated_bytes=limit, max_batch_records=10_000)
front.use_case = replace(front.use_case, settings=roomy)
front.admission.rates = Rates(100, 10**9, 10**12, 1)
front.queue.backlog_limit_bytes = 2**40
app._dependencies = lambda: front.use_case
name = sys.argv[1]
path = "/v1/logs" if name == "otlp" else "/api/ingest"
wire = gzip.compress(bodies[name](), 1)
event = rest_event("POST", path, wire, headers={"X-API-Key": front.key, "Content-Type": "application/json"})
status = app.handler(event, LambdaContext())["statusCode"]
# Not getrusage: it counts what the process was before this program, a copy of pytest.
status_file = Path("/proc/self/status")
if status_file.exists():
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status_file.read_text())[1]) // 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
print(status, peak)
"""
BODIES = (
    "lines",
    "one log",
    "wide characters",
    "false ends",
    "one list",
    "otlp",
)  # of a dozen forms measured, those that take most


def smallest_memory() -> int:
    """Megabytes that the template allows for ingest."""
    parameter = (REPOSITORY / "template.yaml").read_text().partition("HttpMemoryMegabytes:")[2]
    found = re.search(r"MinValue: (\d+)", parameter)
    assert found
    return int(found[1])


@pytest.mark.parametrize("name", BODIES)
def test_the_largest_bodies_fit(name: str) -> None:
    environment = {"PYTHONPATH": ":".join(str(REPOSITORY / path) for path in ("tests", "layers/common/python"))}
    command = [sys.executable, "-O", "-c", POST_LARGEST_BODY, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr[-2_000:]
    status, megabytes = map(int, done.stdout.split("\n")[-2].split())
    sys.stdout.write(f"ingest, {name}: {megabytes} MB\n")
    assert status in (200, 202)
    assert megabytes <= smallest_memory() * 0.9, f"{megabytes} MB"
