"""functions/drain with fakes: claims, fans out, gives back what failed."""

from collections.abc import Callable
from threading import Event
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from apps import load_app
from aws import InvokeRecorder, LambdaContext
from fakes import MemoryChunkStore, MemoryQueue, ScriptedRunner
from samples import record, submission
from sluice.chunks.aws import LambdaChunkRunner
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.errors import ChunkCrashed, ChunkFailed, ContractError, RejectedInput, Unavailable
from sluice.runtime.settings import DrainSettings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

app = load_app("drain")
process_chunk = load_app("process_chunk")


class Line:
    """A queue, a store, and a drain between them."""

    def __init__(self, shard_count: int = 1) -> None:
        self.queue = MemoryQueue(shard_count=shard_count)
        self.store = MemoryChunkStore()
        self.settings = DrainSettings("redis://r", shard_count, "process-chunk", 10, 10**6, 2, 30)
        self.runner = ScriptedRunner(process_chunk.ProcessChunk(self.queue, self.store).run)

    def drain(self, event: dict[str, Any] | None = None, remaining: Callable[[], float] = lambda: 60.0) -> Any:
        return app.run(app.Drain(self.queue, self.runner, self.settings), event or {}, remaining)

    def fill(self, batches: int, *, application_id: int = 1) -> None:
        for _ in range(batches):
            self.queue.submit(submission([record(0), record(1)], application_id=application_id))


@pytest.fixture
def line() -> Line:
    return Line()


def test_empties_the_queue_in_chunks(line: Line) -> None:
    line.fill(50)
    report = line.drain()
    assert (report.claimed_entries, report.chunks, report.chunks_failed) == (50, 10, 0)
    assert report.result == ChunkResult(stored=100, acknowledged=50)
    assert len(set(line.store.rows)) == len(line.store.rows) == 100
    assert report.backlog_entries == 0


def test_an_empty_queue_starts_nothing(line: Line) -> None:
    assert line.drain().chunks == 0
    assert line.runner.tasks == []


def test_serves_every_shard() -> None:
    line = Line(shard_count=4)
    for application_id in range(8):
        line.fill(2, application_id=application_id)
    assert line.drain().result.stored == 32
    assert {task.shard for task in line.runner.tasks} == {0, 1, 2, 3}


def test_an_outage_stops_the_run_and_the_next_tick_tries_again(line: Line) -> None:
    line.fill(100)
    line.store.is_down = True

    def fail(task: ChunkTask) -> ChunkResult:
        raise ChunkFailed("database_unavailable", "down")

    good, line.runner.action = line.runner.action, fail
    report = line.drain()
    assert report.chunks == report.chunks_failed == 2
    assert report.backlog_entries == 100
    line.store.is_down, line.runner.action = False, good
    report = line.drain()
    assert report.reclaimed_entries == 100
    assert report.result.stored == 200


def test_one_bad_chunk_does_not_hold_back_the_others(line: Line) -> None:
    line.fill(50)
    first: list[ChunkTask] = []
    good = line.runner.action

    def fail_first(task: ChunkTask) -> ChunkResult:
        first.append(task)
        if task.entry_ids == first[0].entry_ids:
            raise ChunkCrashed("chunk_crashed", "killed")
        return good(task)

    line.runner.action = fail_first
    report = line.drain()
    assert report.chunks_failed == 1
    assert report.result.stored == 90
    assert len(line.runner.tasks) == 10, "a failed chunk must wait for the next tick"


def test_what_failed_while_the_queue_went_down_is_given_back(line: Line) -> None:
    line.fill(10)
    questions = iter(range(10))
    good, is_down = line.runner.action, Event()

    def remaining() -> float:
        if next(questions) == 2:  # before the second claim
            line.queue.is_down = True
            is_down.set()
        return 60.0

    def fail(task: ChunkTask) -> ChunkResult:
        assert is_down.wait(10)
        sleep(0.05)
        line.queue.is_down = False
        raise ChunkFailed("own_fault", "bad")

    line.runner.action = fail
    with pytest.raises(Unavailable):
        line.drain(remaining=remaining)
    line.runner.action = good
    assert line.drain().reclaimed_entries == 10


def test_a_chunk_of_unknown_outcome_is_left_alone_until_it_must_be_over(line: Line) -> None:
    line.fill(1)
    good = line.runner.action

    def vanish(task: ChunkTask) -> ChunkResult:
        raise Unavailable("invoke_unanswered", "time-out")

    line.runner.action = vanish
    line.drain()
    line.runner.action = good
    assert line.drain().claimed_entries == 0
    line.queue.clock.advance(3 * line.settings.process_chunk_timeout_seconds)
    assert line.drain().result.stored == 2


def test_a_contract_error_is_reported_not_swallowed(line: Line) -> None:
    line.fill(1)

    def answer_nonsense(task: ChunkTask) -> ChunkResult:
        raise ContractError("chunk_result", "nonsense")

    line.runner.action = answer_nonsense
    assert line.drain().chunks_failed == 1


def test_stops_claiming_when_time_runs_out(line: Line) -> None:
    line.fill(100)
    remaining = iter([60.0, 60.0])
    report = line.drain(remaining=lambda: next(remaining, 10.0))
    assert (report.chunks, report.backlog_entries) == (1, 95)


def test_a_slow_chunk_does_not_hold_up_those_after_it(line: Line) -> None:
    line.fill(50)
    good, others_are_stored = line.runner.action, Event()

    def run(task: ChunkTask) -> ChunkResult:
        is_slow = task is line.runner.tasks[0]
        assert not is_slow or others_are_stored.wait(10)
        result = good(task)
        if len(line.store.rows) == 90:
            others_are_stored.set()
        return result

    line.runner.action = run
    assert line.drain().result.stored == 100


def test_what_comes_while_the_last_chunk_runs_is_stored_in_the_same_pass(line: Line) -> None:
    line.fill(1)
    good = line.runner.action

    def run(task: ChunkTask) -> ChunkResult:
        if len(line.runner.tasks) == 1:
            line.fill(1)
        return good(task)

    line.runner.action = run
    assert line.drain().result.stored == 4


def test_after_an_outage_nothing_starts_until_another_chunk_was_stored(line: Line) -> None:
    line.fill(50)
    good, has_failed = line.runner.action, Event()
    seen: list[int] = []

    def run(task: ChunkTask) -> ChunkResult:
        if task is line.runner.tasks[0]:
            has_failed.set()
            raise ChunkFailed("database_unavailable", "down")
        if task is line.runner.tasks[1]:
            assert has_failed.wait(10)
            sleep(0.05)
            seen.append(len(line.runner.tasks))
        return good(task)

    line.runner.action = run
    assert line.drain().result.stored == 90
    assert seen == [2]


def test_ticks_at_a_fixed_beat(line: Line) -> None:
    line.fill(1)
    report = line.drain({"ticks": 3, "tick_seconds": 0.01})
    assert report.result.stored == 2


def test_an_outage_of_the_queue_costs_one_tick(line: Line) -> None:
    line.fill(1)
    line.queue.is_down = True
    pauses = iter([False, True])

    def remaining() -> float:
        line.queue.is_down = next(pauses, True) is False
        return 60.0

    report = line.drain({"ticks": 3, "tick_seconds": 0.01}, remaining)
    assert report.result.stored == 2


def test_an_outage_that_lasts_is_raised(line: Line) -> None:
    line.queue.is_down = True
    with pytest.raises(Unavailable):
        line.drain({"ticks": 2, "tick_seconds": 0.01})


@pytest.mark.parametrize(
    "event",
    [{"ticks": 0}, {"ticks": "6"}, {"tick_seconds": 0}, {"tick_seconds": -1}, {"tick_seconds": "10"}, {"ticks": True}],
)
def test_refuses_an_impossible_beat(line: Line, event: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput):
        line.drain(event)


def test_fans_out_by_invoke(line: Line, lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    """The recorded payloads go to the real handler's use case, JSON both ways."""
    line.fill(10)
    use_case = process_chunk.ProcessChunk(line.queue, line.store)
    invoke_recorder.functions["process-chunk"] = lambda event: use_case.run(ChunkTask.from_event(event)).to_answer()
    runner = LambdaChunkRunner(lambda_client, "process-chunk")
    report = app.run(app.Drain(line.queue, runner, line.settings), {}, lambda: 60.0)
    payloads = invoke_recorder.payloads("process-chunk")
    assert [payload["version"] for payload in payloads] == [1, 1]
    assert len({entry_id for payload in payloads for entry_id in payload["entry_ids"]}) == 10
    assert report.result.stored == 20


def test_a_function_error_means_the_run_is_over(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    def crash(event: Any) -> Any:
        raise RuntimeError("out of memory")

    invoke_recorder.functions["process-chunk"] = crash
    with pytest.raises(ChunkFailed, match="RuntimeError"):
        LambdaChunkRunner(lambda_client, "process-chunk").run(ChunkTask(0, ("1-0",)))


def test_a_refused_invocation_means_the_run_never_began(lambda_client: "LambdaClient") -> None:
    runner = LambdaChunkRunner(lambda_client, "process-chunk")
    with Stubber(lambda_client) as stubber:
        stubber.add_client_error("invoke", "TooManyRequestsException")
        with pytest.raises(ChunkFailed, match="TooManyRequests"):
            runner.run(ChunkTask(0, ("1-0",)))


def test_an_answer_that_is_no_result_is_a_contract_error(lambda_client: "LambdaClient") -> None:
    """moto, where nothing runs, answers with the payload it got."""
    with pytest.raises(ContractError):
        LambdaChunkRunner(lambda_client, "process-chunk").run(ChunkTask(0, ("1-0",)))


def test_the_handler_answers_with_counts(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.fill(1)
    monkeypatch.setattr(app, "_dependencies", lambda: app.Drain(line.queue, line.runner, line.settings))
    answer = app.handler({}, LambdaContext())
    assert answer["stored"] == 2
    assert {"claimed_entries", "reclaimed_entries", "chunks", "backlog_entries", "duration_ms"} <= answer.keys()


def test_a_suspect_without_a_turn_stays_a_suspect(line: Line) -> None:
    """Its deaths are not forgotten because the pass had no time for it."""
    line.fill(1)
    for _ in range(2):
        entries = line.queue.claim(0, min_idle_seconds=0, max_records=9, max_bytes=9**9).entries
        line.queue.start(0, entries)
        line.queue.release(0, entries, is_forgiven=False)
    remaining = iter([60.0])
    line.drain(remaining=lambda: next(remaining, 10.0))
    assert line.runner.tasks == []
    (entry,) = line.queue.claim(0, min_idle_seconds=60, max_records=9, max_bytes=9**9).entries
    assert entry.deliveries == 3, "nor is the pass held against it"
