"""Faults of storing a chunk, and of accounting for it."""

from mutations.model import Mutation

_CHUNKS = "layers/common/python/sluice/chunks"
_CONTRACT = "tests/contracts/test_chunk_store.py"

STORAGE = (
    Mutation(
        "no ledger conflict",
        "every redelivery stores the logs again",
        f"{_CHUNKS}/postgres.py",
        "    return set(open_cursor.fetchall())\n",
        "    return {_identity(entry) for entry in entries}\n",
        (f"{_CONTRACT}::test_a_redelivery_is_a_no_op",),
    ),
    Mutation(
        "stream id as the ledger's key",
        "a client's repetition is stored twice",
        "layers/common/python/sluice/streams/redis.py",
        'batch_id=UUID(fields["batch"])',
        'batch_id=UUID(int=int(entry_id.replace("-", "")))',
        ("tests/integration/test_storage.py::test_the_ledger_balances_at_every_step",),
    ),
    Mutation(
        "duplicates whatever the body",
        "another body under a used batch id disappears",
        f"{_CHUNKS}/postgres.py",
        "is_same_body=bytes(body_hash) == entry.body_hash",
        "is_same_body=True",
        (f"{_CONTRACT}::test_another_body_under_the_same_batch_id_is_dead_lettered",),
    ),
    Mutation(
        "duplicates counted with every delivery",
        "the ledger counts more than was accepted",
        f"{_CHUNKS}/postgres.py",
        "if open_cursor.fetchone() is None:  # counted by an earlier run",
        "if False:",
        (f"{_CONTRACT}::test_a_clients_repetition_is_counted_once_and_not_stored",),
    ),
    Mutation(
        "a damaged entry without its numbers",
        "the ledger reports a loss where there is a dead letter",
        "layers/common/python/sluice/streams/redis.py",
        'f"{type(error).__name__}: {error}", header)',
        'f"{type(error).__name__}: {error}")',
        ("tests/integration/test_storage.py::test_an_entry_whose_records_are_damaged_is_accounted_for",),
    ),
    Mutation(
        "ledger rows in any order",
        "chunks that share entries deadlock",
        f"{_CHUNKS}/postgres.py",
        "key=lambda entry: (entry.batch_id, entry.part),",
        "key=lambda entry: 0,",
        ("tests/integration/test_lock_order.py",),
    ),
    Mutation(
        "capitals taken for a trace id",
        "a trace id is not found under what the client calls it",
        f"{_CHUNKS}/rows.py",
        "[0-9a-f]{32}",
        "[0-9a-fA-F]{32}",
        ("tests/contracts/test_log_reader.py::test_trace_ids_are_what_was_sent",),
    ),
    Mutation(
        "any position in two bytes",
        "logs far behind in a request are dead-lettered",
        f"{_CHUNKS}/rows.py",
        "0 <= last <= _MAX_ORDINAL",
        "True",
        ("tests/contracts/test_log_reader.py::test_positions_are_what_was_sent",),
    ),
    Mutation(
        "bisection drops the second half",
        "one bad record takes good ones with it",
        f"{_CHUNKS}/postgres_copy.py",
        "_bisect(open_cursor, target, suspects[:middle]) + _bisect(open_cursor, target, suspects[middle:])",
        "_bisect(open_cursor, target, suspects[:middle])",
        ("tests/integration/test_poison.py::test_a_bad_record_takes_no_good_one_with_it",),
    ),
    Mutation(
        "an outage taken for poison",
        "a full disk moves good logs to the dead letters",
        "layers/common/python/sluice/runtime/postgres.py",
        """state.startswith(_LATER):
        return Unavailable("database_unavailable", f"{state or 'no connection'}: {summary}")
    if state.startswith(_NEVER):""",
        """state.startswith("08"):
        return Unavailable("database_unavailable", f"{state or 'no connection'}: {summary}")
    if state.startswith((*_LATER, *_NEVER)):""",
        ("tests/integration/test_poison.py::test_only_what_can_never_be_stored_is_held_against_a_record",),
    ),
    Mutation(
        "bounds not widened",
        "queries by event time do not find what is stored",
        f"{_CHUNKS}/postgres.py",
        "        widen_bounds(open_cursor, portions)\n",
        "",
        ("tests/contracts/test_log_reader.py::test_a_late_log_is_found_by_its_event_time",),
    ),
    Mutation(
        "bounds that follow the latest chunk",
        "queries by event time do not find what was stored before",
        f"{_CHUNKS}/postgres_partitions.py",
        "SET event_from = least(event_time_bounds.event_from, excluded.event_from),",
        "SET event_from = excluded.event_from,",
        ("tests/integration/test_event_time_bounds.py::test_bounds_widen_to_both_sides",),
    ),
    Mutation(
        "audit without the second reading",
        "the ledger reports losses that are none, until nobody believes it",
        "layers/common/python/sluice/ledger/audit.py",
        "queued)):\n        settled = ledger.settled(accepted)\n",
        "queued)):\n        pass\n",
        ("tests/unit/test_ledger_audit.py",),
    ),
    Mutation(
        "usual records are read their own way",
        "one log is stored in two forms, depending on what it came with",
        "layers/common/python/sluice/entries/usual.py",
        "_SMALLEST, _LARGEST = 1e-4, 1e16",
        "_SMALLEST, _LARGEST = 0, 1e300",
        ("tests/properties/test_usual.py",),
    ),
    Mutation(
        "U+0000 in usual records",
        "a log that the database refuses ends in the dead letters",
        "layers/common/python/sluice/entries/usual.py",
        r"""return (not is_plain and b"\\u0000" in body) or""",
        "return",
        ("tests/properties/test_usual.py",),
    ),
    Mutation(
        "the first gzip member alone",
        "logs in the members of a body that follow the first are lost without a word",
        "layers/common/python/sluice/entries/body.py",
        "return body if wire.find(trailer) + len(trailer) == len(wire) else None",
        "return body",
        ("tests/properties/test_inflating.py",),
    ),
    Mutation(
        "in flight by subtraction",
        "the ledger balances whatever is lost",
        "layers/common/python/sluice/ledger/audit.py",
        """            in_flight=count_ranges(subtract_ranges(self.queued, settled.ranges)),
            unaccounted=count_ranges(self.missing()),""",
        """            in_flight=self.last - count_ranges(settled.ranges),
            unaccounted=0,""",
        ("tests/integration/test_storage.py::test_the_ledger_notices_a_loss",),
    ),
    Mutation(
        "rollback not noticed",
        "a Redis restored from an old state looks healthy",
        "layers/common/python/sluice/ledger/audit.py",
        "if known.highest > after.get(key, 0)}",
        "if known.highest < 0}",
        ("tests/integration/test_delivery.py::test_an_emptied_queue_is_reported_and_the_equation_holds",),
    ),
)
