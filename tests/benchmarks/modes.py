"""What the two modes of the drain cost: counts invocations and their billed milliseconds on the deployed stack, while
nothing is sent and while 1,000 logs a second are, and leaves them as an hour's figures for `make sizing`.

A count of minutes, not of rates: what disturbs the machine does little to it.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import NamedTuple

from benchmarks import report
from benchmarks.deployment import FUNCTION_PREFIX, Deployment
from benchmarks.freshness import send
from benchmarks.program import console, exit_code, servers
from stack import BUILD

RESULT = BUILD / "modes.json"
MODES = ("wake", "tick")
# As Lambda, the emulator writes it at the end of each invocation.
_BILLED = re.compile(r"^REPORT .*Billed Duration: ([\d.]+) ms")
SETTLING_SECONDS = 75  # until the last drain has left


class Run(NamedTuple):
    """An invocation's beginning and end, in seconds since 1970."""

    began: float
    ended: float


def runs(deployment: Deployment, function: str, since: float) -> Iterator[Run]:
    """The invocations that ended since then."""
    pages = (
        deployment.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=f"/aws/lambda/{FUNCTION_PREFIX}{function}", startTime=int(since * 1_000))
    )
    for page in pages:
        for event in page["events"]:
            if found := _BILLED.match(event["message"]):
                ended = event["timestamp"] / 1_000
                yield Run(ended - float(found[1]) / 1_000, ended)


def hourly(found: Iterable[Run], since: float, until: float) -> tuple[float, float]:
    """Runs an hour, and their average milliseconds: of those that were going on in this time, as far as they were."""
    parts = [min(run.ended, until) - max(run.began, since) for run in found if run.began < until and run.ended > since]
    begun = sum(parts) / (until - since) * 3_600  # seconds an hour
    count = len(parts) / (until - since) * 3_600
    return count, begun / count * 1_000 if count else 0.0


def measure(deployment: Deployment, mode: str, load: str, seconds: float) -> dict[str, float]:
    """Runs an hour and milliseconds a run of drain and process_chunk in such a time."""
    since = time.time()
    if load == "busy":
        send(deployment, SimpleQueue(), seconds)
    else:
        time.sleep(seconds)
    until, figures = time.time(), {}
    time.sleep(SETTLING_SECONDS)  # a run is logged when it ends
    for function in ("drain", "process_chunk"):
        count, milliseconds = hourly(runs(deployment, function.replace("_", "-"), since), since, until)
        figures[f"{mode}_{load}_{function}_runs"] = count
        figures[f"{mode}_{load}_{function}_ms"] = milliseconds
    return figures


def run(modes: Sequence[str], seconds: float) -> None:
    """Counts, prints and writes; the figures of other modes stay as they are."""
    figures: dict[str, float] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for mode in modes:
        with servers("modes-stack") as stack:
            deployment = Deployment(stack, mode)
            figures |= measure(deployment, mode, "busy", seconds)
            figures |= measure(deployment, mode, "idle", seconds)
    for name, value in figures.items():
        console.print(f"  {name}: {value:,.1f}")
    report.write(RESULT, {name: round(value, 1) for name, value in figures.items()})


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-modes", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="for each mode and load")
    parser.add_argument("--mode", choices=MODES, help="this one alone; the other's figures stay as they are")
    arguments = parser.parse_args()
    modes = [arguments.mode] if arguments.mode else MODES
    return exit_code("bench-modes", lambda: run(modes, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
