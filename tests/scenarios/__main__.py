"""Plays scenarios into the watching step, in process, and scores what it finds: python -m scenarios --seeds 1-20"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from scenarios.applications import SMALL, THICK, THIN
from scenarios.model import MINUTE
from scenarios.report import is_good, rows, tables
from scenarios.scenario import make_scenario, make_session_scenario
from scenarios.scoring import Score, score
from scenarios.seeds import parse_seeds
from scenarios.watching import watch, watch_traces
from sluice.anomalies.watch import EVALUATION_INTERVAL

SINCE = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
SIZES = {"thick": THICK, "small": SMALL, "thin": THIN}


def play(seed: int, size: str, minutes: int, *, has_sessions: bool) -> Score:
    """One scenario."""
    if has_sessions:
        scenario = make_session_scenario(seed, SINCE, SIZES[size], 1)
        found = {each.name: watch_traces(scenario, each, minutes * MINUTE) for each in scenario.applications}
    else:
        scenario = make_scenario(seed, SINCE, SIZES[size])
        found = {each.name: watch(scenario, each, minutes * MINUTE) for each in scenario.applications}
    return score(scenario, found, EVALUATION_INTERVAL)


def main() -> int:
    """Returns 1 if too little is found, or too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default="1-20", help="such as 1-3,7 (default: %(default)s)")
    parser.add_argument("--size", choices=SIZES, default="thick", help="of the traffic (default: %(default)s)")
    parser.add_argument("--sessions", action="store_true", help="what goes wrong within sessions, of one application")
    parser.add_argument("--minutes", type=int, default=10, help="between two looks (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/scenarios.json"))
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.processes) as pool:
        scores = list(
            pool.map(
                partial(play, size=arguments.size, minutes=arguments.minutes, has_sessions=arguments.sessions),
                arguments.seeds,
            )
        )
    print("\n".join(tables(scores)))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(rows(scores), indent=1) + "\n")
    return 0 if is_good(scores) else 1


if __name__ == "__main__":
    sys.exit(main())
