"""Faults of taking days out of the log table, and of choosing their class."""

from mutations.model import Mutation

_ARCHIVE = "layers/common/python/sluice/archive"
_MIGRATION = "layers/common/python/sluice/schema/migrations/0017_archive.pre.sql"
_TESTS = "tests/integration/test_archive.py"
_RETENTION = "tests/integration/test_retention.py"
_REHYDRATION = "tests/integration/test_rehydration.py"
_DROPPING = "tests/integration/test_dropping.py"
_COUNTING = "layers/common/python/sluice/schema/migrations/0031_retention.pre.sql"

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
        "objects are confirmed before they are written",
        "a killed run leaves an object that is not there, and its rows go",
        "functions/archive/archiving.py",
        """        self.objects.put(wanted.key, content.data)
        if __debug__:
            crash_point("archive.after_put")
        found = self.objects.get(wanted.key)
        if found is None:
            raise ContractError("unreadable_object", f"{wanted.key} was written and is not there")
        check_content(found, sha256=content.sha256, row_count=content.row_count)
        self.archive.confirm(wanted, content)
""",
        """        self.archive.confirm(wanted, content)
        if __debug__:
            crash_point("archive.after_put")
        self.objects.put(wanted.key, content.data)
""",
        ("tests/faults/test_archive.py::test_archive_killed",),
    ),
    Mutation(
        "checksums are not compared",
        "an object that somebody changed passes for the archived rows",
        f"{_ARCHIVE}/lines.py",
        "    if hashlib.sha256(data).digest() != sha256:\n",
        "    if False:\n",
        (f"{_TESTS}::test_verifying_finds_damage",),
    ),
    Mutation(
        "rows may be doubled within an object",
        "rows are archived twice and others are dropped",
        f"{_ARCHIVE}/lines.py",
        "        if last is not None and order <= last:\n",
        "        if False:\n",
        ("tests/unit/test_archive_lines.py::test_a_row_that_is_there_twice_is_found",),
    ),
    Mutation(
        "a rehydration is shown before it is complete",
        "readers take a part for the whole",
        "functions/archive/rehydrating.py",
        "            if not has_time():\n                return\n        self.patiently(",
        "            if not has_time():\n                break\n        self.patiently(",
        (f"{_REHYDRATION}::test_nobody_sees_half_of_it",),
    ),
    Mutation(
        "a rehydration never expires",
        "what was to leave stays readable",
        "functions/archive/rehydrating.py",
        "            if found.expires_at <= self.clock():\n",
        "            if False:\n",
        (f"{_REHYDRATION}::test_it_expires",),
    ),
    Mutation(
        "an object comes back twice",
        "rehydrated rows are doubled",
        f"{_ARCHIVE}/postgres_rehydration.py",
        "            if not open_cursor.rowcount:  # somebody else did\n                return\n",
        "",
        (f"{_REHYDRATION}::test_an_object_is_loaded_once",),
    ),
    Mutation(
        "rows are counted under the lock",
        "nobody reads or stores while a large day is dropped",
        _MIGRATION,
        "        IF (SELECT change_count FROM archive_days",
        "        EXECUTE format('ANALYZE %I', leaf);\n        IF (SELECT change_count FROM archive_days",
        (f"{_DROPPING}::test_what_is_locked_is_not_read",),
    ),
    Mutation(
        "rows are counted through the log table",
        "each row of a day is read again to count it",
        _COUNTING,
        "SELECT application_id, count(*) FROM %I GROUP BY application_id",
        "SELECT application_id, count(retention_class) FROM %I GROUP BY application_id",
        (f"{_DROPPING}::test_rows_are_counted_by_an_index",),
    ),
    Mutation(
        "the count has a transaction's number",
        "the live tail stands still while a day is counted",
        f"{_ARCHIVE}/postgres.py",
        '_COUNT = "SELECT application_id, row_count FROM count_archive_day(%s)"',
        '_COUNT = "SELECT application_id, row_count FROM pg_current_xact_id(), count_archive_day(%s)"',
        (f"{_DROPPING}::test_who_follows_transactions_does_not_wait_for_the_count",),
    ),
    Mutation(
        "the first attempts wait for long",
        "readers and writers wait behind one who waits for a reader",
        "functions/archive/archiving.py",
        "WAITS_MILLISECONDS = (10, 20, 40, 80, 160, *[LOCK_MILLISECONDS] * 20)",
        "WAITS_MILLISECONDS = [LOCK_MILLISECONDS] * 25",
        (f"{_DROPPING}::test_nobody_waits_for_who_waits",),
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
        "is_read = position.isdigit() and level.isdigit()",
        "is_read = level.isdigit()",
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
