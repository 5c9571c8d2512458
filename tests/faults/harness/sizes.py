"""How much of the fault plan a run does: FAULTS_SIZE=smoke (inside `make test`), ci or nightly."""

import os
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Size:
    """Counts of one size; everything else is the same in all sizes."""

    name: str
    rounds_per_point: int  # F1: kills at each crash point
    random_kills: int  # F2
    overlap_rounds: int  # F3
    outage_rounds: int  # F4 to F6: kills of each server
    load_seconds: int  # the run under load against the deployed stack; 0: none


SIZES = {
    "smoke": Size("smoke", 1, 15, 1, 1, 0),
    "ci": Size("ci", 5, 200, 5, 2, 0),
    "nightly": Size("nightly", 70, 1_000, 30, 10, 180),
}
SIZE = SIZES[os.environ.get("FAULTS_SIZE", "smoke")]
LOAD_SECONDS = int(os.environ.get("FAULTS_LOAD_SECONDS", SIZE.load_seconds))
not_in_smoke = pytest.mark.skipif(SIZE.name == "smoke", reason="takes too long for every day: make test-faults")
