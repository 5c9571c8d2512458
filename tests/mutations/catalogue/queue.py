"""Faults of the queue: its scripts and its client."""

from mutations.model import Mutation

_SCRIPTS = "layers/common/python/sluice/streams/scripts"
_ADAPTER = "layers/common/python/sluice/streams/redis.py"
_CONTRACT = "tests/contracts/test_queue.py"
_WAKES = "tests/contracts/test_wakes.py"

QUEUE = (
    Mutation(
        "no XAUTOCLAIM",
        "what a dead drain held stays pending for ever",
        f"{_SCRIPTS}/claim.lua",
        "redis.call('XAUTOCLAIM', KEYS[1], group, consumer, ARGV[3], cursor, 'COUNT', PAGE)",
        "{'0-0', {}, {}}",
        (f"{_CONTRACT}::test_what_a_dead_run_held_is_claimed_again",),
    ),
    Mutation(
        "consumer group from the end",
        "what was queued before the first drain is never read",
        f"{_SCRIPTS}/claim.lua",
        "'CREATE', KEYS[1], group, '0',",
        "'CREATE', KEYS[1], group, '$',",
        (f"{_CONTRACT}::test_what_goes_in_comes_out",),
    ),
    Mutation(
        "a claim counts as a run",
        "a drain that dies with a large backlog has all of it stored entry by entry",
        f"{_SCRIPTS}/claim.lua",
        "    set_deliveries(ids, 0)\n",
        "    set_deliveries(ids, 1)\n",
        (f"{_CONTRACT}::test_a_claim_that_starts_no_run_is_no_delivery",),
    ),
    Mutation(
        "vanished data not counted",
        "somebody trims unstored data, and nobody hears of it",
        f"{_SCRIPTS}/claim.lua",
        "vanished = vanished + #(claimed[3] or {})",
        "vanished = 0",
        ("tests/integration/test_delivery.py::test_pending_data_that_vanished_is_noticed",),
    ),
    Mutation(
        "MULTI around acknowledgements",
        "at maxmemory nothing can be acknowledged, so nothing is ever freed again",
        _ADAPTER,
        '        return int(self._run("acknowledge", [_stream(shard), _backlog(shard), stored_key(shard)], arguments))',
        """        with translated():
            pipeline = self._client.pipeline(transaction=True)
            for entry_id, application_id, size in zip(*(arguments[i::3] for i in (1, 2, 3)), strict=True):
                pipeline.xack(_stream(shard), GROUP, entry_id)
                pipeline.xdel(_stream(shard), entry_id)
                pipeline.hincrby(_backlog(shard), application_id, -int(size))
                pipeline.hincrby(_backlog(shard), "total", -int(size))
            return sum(pipeline.execute()[1::4])""",
        ("tests/integration/test_storage.py::test_a_full_redis_still_drains",),
    ),
    Mutation(
        "HINCRBY without allow-oom",
        "the same, by the count of the backlog",
        f"{_SCRIPTS}/acknowledge.lua",
        "#!lua flags=allow-oom",
        "#!lua",
        ("tests/integration/test_storage.py::test_a_full_redis_still_drains",),
    ),
    Mutation(
        "acknowledge without deleting",
        "Redis grows with everything that was ever received",
        f"{_SCRIPTS}/acknowledge.lua",
        "if redis.call('XDEL', KEYS[1], id) == 1 then",
        "if true then",
        (f"{_CONTRACT}::test_acknowledged_entries_are_gone",),
    ),
    Mutation(
        "trim up to the last delivered",
        "what is claimed and not stored yet is deleted",
        f"{_SCRIPTS}/trim.lua",
        "'MINID', lowest_pending or limit)",
        "'MINID', limit)",
        (f"{_CONTRACT}::test_trim_keeps_everything_that_is_not_acknowledged",),
    ),
    Mutation(
        "sequence not advanced",
        "accepted records have no numbers of their own, so a loss cannot be seen",
        f"{_SCRIPTS}/submit.lua",
        "redis.call('HINCRBY', KEYS[2], application, records) - records + 1",
        "tonumber(redis.call('HGET', KEYS[2], application) or 0) + 1",
        (f"{_CONTRACT}::test_sequences_number_each_application_without_gaps",),
    ),
    Mutation(
        "idempotency without the body's hash",
        "another request under a used key is answered 202 and thrown away",
        f"{_SCRIPTS}/submit.lua",
        "return seen == body_hash and 'replayed' or 'conflict'",
        "return 'replayed'",
        (f"{_CONTRACT}::test_an_idempotent_submission_is_queued_once",),
    ),
    Mutation(
        "no backlog limit",
        "an outage of the database fills Redis to the brim",
        f"{_SCRIPTS}/submit.lua",
        "if total > tonumber(ARGV[2]) then",
        "if false then",
        (f"{_CONTRACT}::test_a_full_queue_takes_nothing_until_it_is_drained",),
    ),
    Mutation(
        "no share of the backlog",
        "one application fills the queue for all",
        f"{_SCRIPTS}/submit.lua",
        "if share > tonumber(ARGV[3]) then",
        "if false then",
        (f"{_CONTRACT}::test_one_application_cannot_fill_the_queue",),
    ),
    Mutation(
        "only the shards in use",
        "what lies in the others is neither drained nor accounted for",
        _ADAPTER,
        "return [*used, *compress(others, pipeline.execute())]",
        "return [*used]",
        (f"{_CONTRACT}::test_shards_are_those_in_use_and_those_that_ever_were",),
    ),
    Mutation(
        "every request wakes a drain",
        "drains without number work on one queue, and each costs",
        f"{_SCRIPTS}/submit.lua",
        "redis.call('SET', KEYS[6], 1, 'NX', 'PX', wake_ms)",
        "redis.call('SET', KEYS[6], 1, 'PX', wake_ms)",
        (f"{_WAKES}::test_one_submitter_in_the_time_of_a_wake_is_asked_whatever_its_shard",),
    ),
    Mutation(
        "the mark of a drain outlives it",
        "a drain that was killed is followed by none until the schedule's next",
        _ADAPTER,
        "self._client.set(_attended(shard), 1, px=int(seconds * 1000))",
        "self._client.set(_attended(shard), 1)",
        (f"{_WAKES}::test_the_mark_of_a_dead_drain_lapses",),
    ),
    Mutation(
        "a failed wake fails the request",
        "the client sends again what the queue holds already",
        "functions/ingest/app.py",
        '    except Unavailable as error:\n        logger.warning("the drain',
        '    except ZeroDivisionError as error:\n        logger.warning("the drain',
        ("tests/functions/test_ingest.py::test_a_failed_wake_fails_no_request",),
    ),
    Mutation(
        "no last look",
        "a log that came while the drain was leaving waits for the schedule",
        "functions/drain/app.py",
        "    # What came after the last look was taken for attended to, and has woken nobody.\n",
        "    return report\n",
        ("tests/functions/test_lingering.py::test_what_comes_between_the_last_look_and_the_end_of_the_mark_is_stored",),
    ),
    Mutation(
        "a script whose answer was lost is sent again",
        "a lost reply turns one batch into two",
        "layers/common/python/sluice/runtime/redis.py",
        "except redis.exceptions.NoScriptError:",
        "except redis.exceptions.RedisError:",
        ("tests/integration/test_lost_replies.py::test_a_batch_is_queued_once_though_the_answer_was_lost",),
    ),
)
