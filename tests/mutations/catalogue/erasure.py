"""Faults of deleting on demand: what is left of a person, and what goes with it."""

from mutations.model import Mutation

_ERASING = "functions/archive/erasing.py"
_ERASURES = "layers/common/python/sluice/erasures/postgres.py"
_REWRITING = "layers/common/python/sluice/schema/migrations/0027_erasure.pre.sql"
_QUOTATIONS = "layers/common/python/sluice/schema/migrations/0031_retention.pre.sql"
_TESTS = "tests/integration/test_erasure.py"
_GONE = f"{_TESTS}::test_a_persons_logs_are_gone_and_no_others"
_TRACES = f"{_TESTS}::test_no_trace_is_left_in_any_file"

ERASURE = (
    Mutation(
        "dead letters are not erased",
        "a person's logs stay where nobody looks",
        _ERASING,
        "        return any(test(_log(record)) for record in records)\n",
        "        return False\n",
        (_GONE,),
    ),
    Mutation(
        "versions of objects stay",
        "the bucket keeps what was erased",
        "layers/common/python/sluice/archive/aws.py",
        "            for version_id in self._versions(key):\n",
        "            for version_id in ():\n",
        ("tests/contracts/test_object_store.py::test_a_deleted_object_leaves_no_version",),
    ),
    Mutation(
        "a partition is not written anew",
        "deleted rows' bytes stay in the table and its TOAST",
        _REWRITING,
        "    PERFORM rewrite_partition(format('log_entries_%s', class), 'log_entries_' || suffix);\n",
        "",
        (_TRACES,),
    ),
    Mutation(
        "quotations are not written anew",
        "what was taken out of incidents stays in their table",
        _QUOTATIONS,
        "    ALTER TABLE incidents ALTER COLUMN title TYPE text USING title || '';\n",
        "",
        (_TRACES,),
    ),
    Mutation(
        "filters keep the words of what was erased",
        "whether a person's words were there can be asked for ever",
        _ERASURES,
        "    UPDATE word_filters f SET filter = NULL, bit_count = 0\n",
        "    UPDATE word_filters f SET bit_count = bit_count\n",
        (f"{_TESTS}::test_searches_go_on",),
    ),
    Mutation(
        "masked lines stay",
        "the text of a log that waits for a template outlives it",
        _ERASURES,
        "    WHERE u.application_id = %(application_id)s AND u.template_key = line.template_key\n",
        "    WHERE u.application_id = %(application_id)s AND u.template_key = line.template_key AND false\n",
        (f"{_TESTS}::test_masked_lines_that_wait_are_erased",),
    ),
    Mutation(
        "templates of a person stay",
        "a text that only one person's logs had is shown on",
        _ERASURES,
        "AND e.row_count >= (\n",
        "AND e.row_count > (\n",
        (_TRACES,),
    ),
    Mutation(
        "samples of the planner stay",
        "statistics show values that were erased",
        "layers/common/python/sluice/schema/postgres.py",
        'open_cursor.execute("VACUUM (FULL) pg_statistic")',
        'open_cursor.execute("VACUUM pg_statistic")',
        (_TRACES,),
    ),
    Mutation(
        "sentences about a person stay",
        "anomalies quote a template that is erased",
        _QUOTATIONS,
        "    WHERE application_id = application AND template_ids && ids AND sentence <> 'erased';\n",
        "    WHERE false;\n",
        (_TRACES,),
    ),
    Mutation(
        "a person's incidents stay",
        "a rule's groups name who was erased",
        _QUOTATIONS,
        "        is_all OR group_values ?| quoted OR (kind",
        "        is_all OR (kind",
        (f"{_TESTS}::test_incidents_about_a_person_end",),
    ),
    Mutation(
        "objects of an open day stay",
        "a day on its way takes the erased rows into the archive",
        _ERASURES,
        "AND (day.status = 'open' OR archive_objects.status = 'writing')",
        "AND archive_objects.status = 'writing'",
        (f"{_TESTS}::test_a_day_on_its_way_to_the_archive_begins_anew",),
    ),
    Mutation(
        "erased rows are not counted by day",
        "a sound archive is said to lack rows for ever",
        _ERASURES,
        "retention_class, day, count == 0, count))",
        "retention_class, day, count == 0, 0))",
        (f"{_TESTS}::test_a_day_on_its_way_to_the_archive_begins_anew",),
    ),
    Mutation(
        "what comes after the request is erased",
        "logs are deleted that nobody asked to delete",
        _ERASURES,
        "AND received_at < %(ending)s AND received_at <= %(requested_at)s AND",
        "AND received_at < %(ending)s AND",
        (f"{_TESTS}::test_logs_received_after_the_request_are_not_meant",),
    ),
    Mutation(
        "the queue is not waited for",
        "accepted logs of the person are stored after the erasure",
        _ERASING,
        "queued.first_sequence <= erasure.accepted",
        "queued.first_sequence < erasure.accepted",
        (f"{_TESTS}::test_logs_that_are_queued_are_waited_for",),
    ),
    Mutation(
        "a rehydration keeps what is erased",
        "a copy of the archive outlives it",
        _ERASING,
        "            if found.application == subject.application:\n",
        "            if False:\n",
        (f"{_TESTS}::test_an_application_is_erased_as_a_whole",),
    ),
    Mutation(
        "an erased object's new one is not read back",
        "others' logs are lost with a person's",
        _ERASING,
        '        check_content(self.objects.get(key) or b"", sha256=content.sha256, row_count=content.row_count)\n',
        "",
        (f"{_TESTS}::test_a_new_object_that_cannot_be_read_keeps_the_old_one",),
    ),
)
