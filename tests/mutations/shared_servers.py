"""The fixture ``servers`` of the mutation runs: all runs share one stack."""

import os
from pathlib import Path

import pytest

from stack import Stack

STATE_VARIABLE = "SLUICE_MUTATION_STACK"  # the state directory of the running stack


@pytest.fixture(scope="session")
def servers() -> Stack:
    return Stack(Path(os.environ[STATE_VARIABLE]))
