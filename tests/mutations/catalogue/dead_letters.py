"""Faults of redriving dead letters."""

from mutations.model import Mutation

_ADAPTER = "layers/common/python/sluice/deadletters/postgres.py"
_TESTS = "tests/integration/test_dead_letters.py"

DEAD_LETTERS = (
    Mutation(
        "redrive without filters",
        "text search misses what was redriven",
        _ADAPTER,
        "add_late_rows(open_cursor, stored.values())",
        "add_late_rows(open_cursor, [])",
        ("tests/integration/test_word_filters.py::test_a_redriven_record_is_found",),
    ),
    Mutation(
        "redrive without the status",
        "a second redrive stores everything again",
        _ADAPTER,
        'found: dict[str, Any] = {"dead_letters.status = %s": selection.status.value}',
        'found: dict[str, Any] = {"%s::text IS NOT NULL": selection.status.value}',
        (f"{_TESTS}::test_a_second_redrive_finds_nothing",),
    ),
    Mutation(
        "redrive without a lock",
        "two redrives at once store everything twice",
        _ADAPTER,
        "\nFOR UPDATE OF dead_letters SKIP LOCKED",
        "",
        (f"{_TESTS}::test_parallel_redrives_store_each_once",),
    ),
    Mutation(
        "redrive without closing",
        "the same letter is stored with every redrive",
        _ADAPTER,
        "UPDATE dead_letters SET status = 'redriven' WHERE",
        "UPDATE dead_letters SET attempts = attempts WHERE",
        (f"{_TESTS}::test_a_second_redrive_finds_nothing",),
    ),
    Mutation(
        "redrive without the ledger",
        "stored logs count as dead letters",
        _ADAPTER,
        "SET stored_count = stored_count + moved.count, dead_lettered_count = dead_lettered_count - moved.count",
        "SET stored_count = stored_count",
        (f"{_TESTS}::test_a_redrive_repairs_stores_and_balances",),
    ),
    Mutation(
        "redrive under a log id that is taken",
        "two logs have one id",
        _ADAPTER,
        "if self.batch_id is not None and self.reason != _REUSED:",
        "if self.batch_id is not None:",
        (f"{_TESTS}::test_records_of_a_reused_batch_id_get_ids_of_their_own",),
    ),
)
