"""The fixture ``servers`` of the mutation runs: all runs share one stack."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scratch import drop_databases
from stack import Stack

STATE_VARIABLE = "SLUICE_MUTATION_STACK"  # the state directory of the running stack


@pytest.fixture(scope="session")
def servers() -> Iterator[Stack]:
    stack = Stack(Path(os.environ[STATE_VARIABLE]))
    yield stack
    drop_databases(stack)
