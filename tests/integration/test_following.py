"""A request is followed by its batch, its trace or one of its logs: through the log of every function, and by API."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from aws import FunctionRunner
from own_lines import OwnLines, own_lines
from real_stage import RealStage
from samples import poison, record, submission_of
from scratch import Scratch
from sluice.entries.packing import pack_record
from sluice.streams.redis import RedisQueue

TRACE, PARENT = "ab1" + 29 * "0", "cd" * 8
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def stage(
    scratch: Scratch,
    redis_url: str,
    redis_client: redis.Redis,
    function_runner: FunctionRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> RealStage:
    return RealStage(scratch, redis_url, redis_client, function_runner, monkeypatch)


@pytest.fixture
def lines(stage: RealStage, capsys: pytest.CaptureFixture[str]) -> Iterator[OwnLines]:
    with own_lines(capsys) as lines:
        yield lines


def batches(stage: RealStage, batch_id: str) -> list[dict[str, Any]]:
    status, answer = stage.get(f"/api/batches/{batch_id}", parent="/api/batches/")
    assert status == 200, answer
    found: list[dict[str, Any]] = answer["batches"]
    return found


def test_one_search_shows_the_whole_way(stage: RealStage, lines: OwnLines) -> None:
    log = {"message": "paid", "trace_id": "f" * 32}
    _, answer = stage.post([log, log], headers={"traceparent": TRACEPARENT})
    stage.post([log])
    stage.drain()
    for word in (answer["batch_id"], TRACE):
        accepted, stored = lines.about(word)
        assert (accepted["accepted"], accepted["batch_id"]) == ([2.0], answer["batch_id"])
        assert (stored["message"], stored["stored"], stored["entries"]) == ("chunk stored", 3, 2)
        assert stored["drain_id"] == stage.runner.context.aws_request_id
        assert stored["traceparents"] == [TRACEPARENT]
        assert len(stored["batch_ids"]) == 2
        assert stored["application_ids"] == [stage.application_id]


def test_what_became_of_it(stage: RealStage) -> None:
    _, answer = stage.post([{"message": "paid", "trace_id": "f" * 32}] * 3, headers={"traceparent": TRACEPARENT})
    batch_id = answer["batch_id"]
    (waiting,) = batches(stage, batch_id)
    assert (waiting["queued"], waiting["stored"], waiting["received_at"]) == (3, 0, None)
    stage.drain()
    (stored,) = batches(stage, batch_id)
    assert (stored["queued"], stored["stored"], stored["duplicate"], stored["dead_lettered"]) == (0, 3, 0, 0)
    assert (stored["application"], stored["traceparent"]) == (stage.application, TRACEPARENT)
    (part,) = stored["parts"]
    assert (part["record_count"], part["stored"], part["part"]) == (3, 3, 0)
    for other in (f"{batch_id}-2", f"{batch_id[:8]}-{batch_id[8:]}"):
        assert batches(stage, other) == [stored]
    rows = stage.scratch.rows("SELECT DISTINCT trace_id FROM log_entries WHERE batch_id = %s", batch_id)
    assert rows == [("f" * 32,)], "the logs' own trace is not the request's"


def test_a_trace_leads_to_all_its_requests(stage: RealStage) -> None:
    trace = f"{stage.application_id:032x}"
    sent = [
        stage.post([{"message": str(number)}], headers={"traceparent": f"00-{trace}-{number + 1:016x}-00"})[1]
        for number in range(3)
    ]
    stage.post([{"message": "of no trace"}])
    stage.post([{"message": "of an invalid one"}], headers={"traceparent": f"00-{trace}-{'0' * 16}-00"})
    stage.drain()
    assert {item["batch_id"] for item in batches(stage, trace)} == {answer["batch_id"] for answer in sent}


def test_a_repetition_and_dead_letters_show(stage: RealStage, redis_client: redis.Redis, lines: OwnLines) -> None:
    queue = RedisQueue(redis_client, shard_count=1, backlog_limit_bytes=10**9)
    sent = submission_of([pack_record(record(0)), poison(1), poison(2)], application_id=stage.application_id)
    for _ in range(2):
        queue.submit(sent)
        stage.drain()
    (found,) = batches(stage, sent.batch_id.hex)
    assert (found["stored"], found["duplicate"], found["dead_lettered"]) == (1, 3, 2)
    letters = found["dead_letters"]
    assert [(letter["position"], letter["status"]) for letter in letters] == [(1, "open"), (2, "open")]
    (warning,) = [line for line in lines.about(sent.batch_id.hex) if line["level"] == "WARNING"]
    assert warning["message"] == "records dead-lettered"
    assert warning["batches"] == [{"batch_id": sent.batch_id.hex, "reason": letters[0]["reason"], "records": 2}]


def test_a_chunk_that_fails_names_its_batches(stage: RealStage, lines: OwnLines) -> None:
    _, answer = stage.post([{"message": "paid"}])
    works = stage.runner.recorder.functions["process-chunk"]

    def dies(event: Any) -> Any:
        raise MemoryError

    stage.runner.recorder.functions["process-chunk"] = dies
    stage.drain()
    stage.runner.recorder.functions["process-chunk"] = works
    failed = [line for line in lines.about(answer["batch_id"]) if line.get("level") == "ERROR"]
    assert [(line["message"], line["code"]) for line in failed] == [("chunk failed", "chunk_crashed")]
    assert batches(stage, answer["batch_id"])[0]["queued"] == 1


@pytest.mark.parametrize("wrong", ["x", "12", "g" * 32, "a" * 33, f"{'a' * 32}-x"])
def test_of_what_is_no_id_there_is_nothing(stage: RealStage, wrong: str) -> None:
    status, problem = stage.get(f"/api/batches/{wrong}", parent="/api/batches/")
    assert (status, problem["code"]) == (404, "unknown_batch")


def test_nobody_sees_a_strangers_batch(stage: RealStage, redis_client: redis.Redis) -> None:
    _, answer = stage.post([{"message": "paid"}], headers={"traceparent": TRACEPARENT})
    stage.application_id = stage.scratch.create_application()
    ((stage.application,),) = stage.scratch.rows(
        "SELECT name FROM applications WHERE application_id = %s", stage.application_id
    )
    stage.key = stage.new_key("read")
    for _ in range(2):
        for wanted in (answer["batch_id"], TRACE):
            status, problem = stage.get(f"/api/batches/{wanted}", parent="/api/batches/")
            assert (status, problem["code"]) == (404, "unknown_batch")
        stage.drain()
