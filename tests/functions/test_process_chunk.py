"""functions/process_chunk with fakes: acknowledges after the store has committed, and never before."""

import pytest

from apps import load_app
from aws import LambdaContext
from fakes import MemoryChunkStore, MemoryClusterer, MemoryQueue
from samples import record, submission
from sluice.chunks.model import ChunkResult, ChunkTask
from sluice.errors import ContractError, Unavailable
from sluice.templates.ports import Clusterer, Clustering

app = load_app("process_chunk")


@pytest.fixture
def queue() -> MemoryQueue:
    queue = MemoryQueue()
    queue.submit(submission([record(0), record(1)]))
    return queue


def task_for(queue: MemoryQueue) -> ChunkTask:
    claim = queue.claim(0, min_idle_seconds=0, max_records=100, max_bytes=10**6)
    return ChunkTask(0, tuple(entry.entry_id for entry in claim.entries))


def test_stores_then_acknowledges(queue: MemoryQueue) -> None:
    store = MemoryChunkStore()
    assert app.ProcessChunk(queue, store).run(task_for(queue)) == ChunkResult(stored=2, acknowledged=1)
    assert queue.count_entries(0) == 0


def test_nothing_is_acknowledged_when_the_store_is_down(queue: MemoryQueue) -> None:
    with pytest.raises(Unavailable):
        app.ProcessChunk(queue, MemoryChunkStore(is_down=True)).run(task_for(queue))
    assert queue.count_entries(0) == 1


def test_running_a_chunk_again_changes_nothing(queue: MemoryQueue) -> None:
    store = MemoryChunkStore()
    task = task_for(queue)
    use_case = app.ProcessChunk(queue, store)
    use_case.run(task)
    assert use_case.run(task) == ChunkResult()
    assert len(store.rows) == 2


def test_rows_are_stored_with_their_clusters(queue: MemoryQueue) -> None:
    store = MemoryChunkStore()
    app.ProcessChunk(queue, store, MemoryClusterer()).run(task_for(queue))
    assert [cluster.template_id for cluster in store.clusters] == [1, 1]


class BrokenClusterer:
    """A Clusterer with a bug."""

    def cluster(self, entries: object) -> Clustering:
        raise RecursionError


@pytest.mark.parametrize("clusterer", [BrokenClusterer(), MemoryClusterer(Unavailable("database_unavailable", "down"))])
def test_logs_are_delivered_whatever_becomes_of_templates(queue: MemoryQueue, clusterer: Clusterer) -> None:
    store = MemoryChunkStore()
    use_case = app.ProcessChunk(queue, store, clusterer)
    assert use_case.run(task_for(queue)) == ChunkResult(stored=2, acknowledged=1)
    assert [cluster.template_id for cluster in store.clusters] == [0, 0]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"version": 2, "shard": 0, "entry_ids": []},
        {"version": 1, "shard": "0", "entry_ids": []},
        {"version": 1, "shard": 0, "entry_ids": "1-0"},
    ],
)
def test_refuses_a_task_it_does_not_understand(event: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        app.handler(event, LambdaContext())
