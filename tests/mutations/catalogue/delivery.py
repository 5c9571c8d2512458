"""Faults of the way from the queue to the database: drain and process_chunk."""

from mutations.model import Mutation

_DRAIN = "functions/drain/passes.py"
_PROCESS_CHUNK = "functions/process_chunk/app.py"
_DELIVERY = "tests/integration/test_delivery.py"

DELIVERY = (
    Mutation(
        "acknowledge before COMMIT",
        "a crash between the two loses the chunk",
        _PROCESS_CHUNK,
        "        settlement = self.store.store(\n",
        "        self.queue.acknowledge(task.shard, entries)\n        settlement = self.store.store(\n",
        ("tests/functions/test_process_chunk.py::test_nothing_is_acknowledged_when_the_store_is_down",),
    ),
    Mutation(
        "acknowledge what the breaker holds",
        "the good logs of a bad deploy are neither stored nor dead-lettered",
        _PROCESS_CHUNK,
        "settled = [entry for entry in entries if entry not in settlement.held]",
        "settled = entries",
        (f"{_DELIVERY}::test_two_failing_applications_open_the_circuit",),
    ),
    Mutation(
        "a failed COMMIT taken for done",
        "a database that dies at COMMIT loses the chunk",
        "layers/common/python/sluice/runtime/postgres.py",
        "                live.commit()\n",
        "                with contextlib.suppress(psycopg2.Error):\n                    live.commit()\n",
        ("tests/integration/test_lost_replies.py::test_a_commit_of_unknown_outcome_acknowledges_nothing",),
    ),
    Mutation(
        "transient failures counted",
        "an outage condemns good logs",
        _DRAIN,
        "((self.failed, True), (self.died + self.suspects, False))",
        "((self.failed, False), (self.died + self.suspects, False))",
        ("tests/functions/test_deaths.py",),
    ),
    Mutation(
        "deaths not counted",
        "a log that kills process_chunk takes its neighbours with it for ever",
        _DRAIN,
        "((self.failed, True), (self.died + self.suspects, False))",
        "((self.failed, True), (self.died + self.suspects, True))",
        (f"{_DELIVERY}::test_an_entry_that_kills_ends_alone_in_the_dead_letters",),
    ),
    Mutation(
        "runs not counted",
        "the same",
        _DRAIN,
        "            self.drain.queue.start(chunk.shard, chunk.entries)\n",
        "",
        ("tests/functions/test_deaths.py::test_deaths_condemn_in_the_end",),
    ),
    Mutation(
        "condemned without evidence",
        "a bad deploy, or no memory anywhere, condemns good logs",
        _DRAIN,
        "if is_condemnable(chunk)] if self.has_stored else []",
        "if is_condemnable(chunk)]",
        (f"{_DELIVERY}::test_when_everything_dies_nothing_is_dead_lettered",),
    ),
    Mutation(
        "a chunk without an answer released at once",
        "slow chunks are worked on several times at once",
        _DRAIN,
        "            if isinstance(error, ChunkFailed):\n",
        "            if error is not None:\n",
        ("tests/functions/test_drain.py::test_a_chunk_of_unknown_outcome_is_left_alone_until_it_must_be_over",),
    ),
    Mutation(
        "retries of the AWS SDK",
        "slow chunks are worked on several times at once",
        "layers/common/python/sluice/chunks/aws.py",
        '            retries={"total_max_attempts": 1},\n',
        "",
        ("tests/functions/test_invoke_once.py",),
    ),
    Mutation(
        "the breaker never opens",
        "a bad deploy moves everybody's logs to the dead letters",
        "layers/common/python/sluice/chunks/breaker.py",
        "return len(failing) >= 2",
        "return False",
        (f"{_DELIVERY}::test_two_failing_applications_open_the_circuit",),
    ),
    Mutation(
        "the breaker opens for one application",
        "one sender of rubbish keeps its own good logs waiting for ever",
        "layers/common/python/sluice/chunks/breaker.py",
        "return len(failing) >= 2",
        "return len(failing) >= 1",
        (f"{_DELIVERY}::test_one_failing_application_is_dead_lettered",),
    ),
    Mutation(
        "what failed before takes all the room",
        "chunks that always fail keep new logs waiting for ever",
        "layers/common/python/sluice/streams/scripts/claim.lua",
        "until cursor == '0-0' or is_full(0.5)",
        "until cursor == '0-0' or is_full(1)",
        ("tests/contracts/test_fair_claims.py",),
    ),
    Mutation(
        "one round in each pass",
        "the queue empties at one claim every ten seconds",
        _DRAIN,
        "                continue\n",
        "                break\n",
        ("tests/functions/test_drain.py::test_empties_the_queue_in_chunks",),
    ),
)
