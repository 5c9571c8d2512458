"""Two test processes share the work: neither makes what the other has made."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from scheduling import piece_of, pytest_collection_modifyitems, pytest_xdist_make_scheduler

TESTS = [
    *(f"tests/e2e/test_pipeline.py::test_{number}" for number in range(4)),
    *(f"tests/browser/test_logs.py::test_{number}" for number in range(4)),
    *(f"tests/contracts/test_queue.py::test_it[redis::{number}]" for number in range(4)),
    *(f"tests/unit/test_keys.py::test_{number}" for number in range(30)),
]


@dataclass(eq=False)
class Node:
    """A process that has collected the tests, and what it was given to run."""

    given: list[str] = field(default_factory=list)
    gateway: Any = field(default_factory=lambda: SimpleNamespace(id="gw"))
    shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += [TESTS[index] for index in indices]

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduler(dist: str = "loadscope") -> Any:
    options = SimpleNamespace(dist=dist, tx=["2*popen"], loadscopereorder=True)
    config: Any = SimpleNamespace(
        option=options, getoption=lambda name: getattr(options, name), getvalue=lambda name: getattr(options, name)
    )
    return pytest_xdist_make_scheduler(config, SimpleNamespace(loadscopesched=lambda *_: None))


def test_one_process_gets_the_deployments_tests_and_the_other_the_rest_file_by_file() -> None:
    scheduling, nodes = scheduler(), [Node(), Node()]
    for node in nodes:
        scheduling.add_node(node)
        scheduling.add_node_collection(node, TESTS)
    scheduling.schedule()
    assert [node.given for node in nodes] == [TESTS[:8], TESTS[8:12]]
    for number in range(8, 11):
        scheduling.mark_test_complete(nodes[1], number)
    assert nodes[1].given == TESTS[8:]


def test_other_ways_of_distribution_are_left_alone() -> None:
    assert scheduler("load") is None


@pytest.mark.parametrize(
    ("nodeid", "piece"),
    [
        ("tests/e2e/test_tail.py::test_every_log[a::b]", "deployment"),
        ("tests/browser/test_logs.py::test_a_page", "deployment"),
        ("tests/integration/test_migrating_ahead.py::test_it", "deployment"),
        ("tests/integration/test_admin.py::test_it[x::y]", "tests/integration/test_admin.py"),
    ],
)
def test_pieces(nodeid: str, piece: str) -> None:
    assert piece_of(nodeid) == piece


def test_the_deployments_tests_come_first_and_none_is_overlooked() -> None:
    known, pure = (
        SimpleNamespace(nodeid="tests/e2e/test_tail.py::test_it", fixturenames=["operator_environment"]),
        SimpleNamespace(nodeid="tests/unit/test_keys.py::test_it", fixturenames=[]),
    )
    items: Any = [pure, known]
    pytest_collection_modifyitems(items)
    assert items == [known, pure]
    items.append(SimpleNamespace(nodeid="tests/unit/test_new.py::test_it", fixturenames=["operator_environment"]))
    with pytest.raises(pytest.UsageError, match=r"unit/test_new\.py::test_it needs the deployment"):
        pytest_collection_modifyitems(items)
