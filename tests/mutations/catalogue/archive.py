"""Faults of taking days out of the log table, and of choosing their class."""

from mutations.model import Mutation

_ARCHIVE = "layers/common/python/sluice/archive"
_MIGRATION = "layers/common/python/sluice/schema/migrations/0017_archive.pre.sql"
_TESTS = "tests/integration/test_archive.py"
_RETENTION = "tests/integration/test_retention.py"

ARCHIVE = (
    Mutation(
        "a changed day goes on",
        "rows that came during the export are dropped",
        f"{_ARCHIVE}/postgres.py",
        "            if change != exported:\n",
        "            if False:\n",
        (f"{_TESTS}::test_a_partition_that_changed_since_is_not_dropped",),
    ),
    Mutation(
        "a changed day is dropped",
        "rows that came after the count are lost",
        _MIGRATION,
        "WHERE archive_day_id = wanted) <> change THEN\n",
        "WHERE archive_day_id = wanted) < 0 THEN\n",
        (f"{_TESTS}::test_rows_that_come_after_the_last_count_are_not_dropped",),
    ),
    Mutation(
        "a partition without its trigger",
        "changes after a rewrite are not noticed",
        _MIGRATION,
        "IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(leaf) AND",
        "IF opened IS NOT NULL OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(leaf) AND",
        (f"{_TESTS}::test_a_partition_that_lost_its_trigger_begins_anew",),
    ),
    Mutation(
        "objects are not read back",
        "rows go though their object is damaged",
        "functions/archive/archiving.py",
        "        check_content(found, sha256=content.sha256, row_count=content.row_count)\n",
        "",
        (f"{_TESTS}::test_an_object_that_cannot_be_read_back_keeps_the_rows",),
    ),
    Mutation(
        "objects are not counted",
        "rows go though objects lack them",
        f"{_ARCHIVE}/postgres.py",
        "if unequal and due.is_archived and not is_changed:",
        "if False:",
        (f"{_TESTS}::test_objects_that_are_not_the_rows_keep_the_partition",),
    ),
    Mutation(
        "the last row of a slice again",
        "archived rows are doubled",
        f"{_ARCHIVE}/postgres_rows.py",
        "(received_at, batch_id, position) > (%s",
        "(received_at, batch_id, position) >= (%s",
        (f"{_TESTS}::test_a_day_becomes_objects_and_its_partition_is_gone",),
    ),
    Mutation(
        "a partition is remembered for ever",
        "late rows for a day that is gone cannot be stored",
        "layers/common/python/sluice/chunks/postgres.py",
        "            self._partitions.forget()\n",
        "",
        (f"{_TESTS}::test_rows_for_a_day_that_is_gone_become_further_objects",),
    ),
    Mutation(
        "discarded objects stay",
        "who reads the bucket sees rows twice",
        f"{_ARCHIVE}/postgres.py",
        "SET status = 'discarded' WHERE",
        "SET status = 'gone' WHERE",
        (f"{_TESTS}::test_a_partition_that_changed_since_is_not_dropped",),
    ),
    Mutation(
        "a record without position by its level",
        "of two such records one disappears from the dead letters",
        "layers/common/python/sluice/retention/route.py",
        "if position.isdigit() and level.isdigit() else own",
        "if level.isdigit() else own",
        (f"{_RETENTION}::test_what_cannot_be_stored_is_dead_lettered_alone",),
    ),
    Mutation(
        "filters by the entry's class",
        "rows of other classes are not found by their words",
        "layers/common/python/sluice/filters/postgres.py",
        "replace(batch, retention_class=int(number))",
        "batch",
        (f"{_RETENTION}::test_words_are_found_in_every_class",),
    ),
)
