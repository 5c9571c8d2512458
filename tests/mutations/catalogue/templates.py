"""Faults of finding templates, and of counting by them."""

from mutations.model import Mutation

_TEMPLATES = "layers/common/python/sluice/templates"
_INTEGRATION = "tests/integration/test_templates.py"
_CONTRACT = "tests/contracts/test_clusterer.py"

TEMPLATES = (
    Mutation(
        "counts in a transaction of their own",
        "a crash leaves stored logs that no template counts",
        f"{_TEMPLATES}/postgres_counts.py",
        "    counts = census(entries, refused)\n",
        "    open_cursor.connection.commit()\n    counts = census(entries, refused)\n",
        ("tests/faults/test_crash_points.py::test_process_chunk_killed",),
    ),
    Mutation(
        "dead letters counted",
        "the census counts more than the ledger says is stored",
        f"{_TEMPLATES}/census.py",
        "if dead and (id(entry), number) in dead:",
        "if False:",
        (f"{_INTEGRATION}::test_the_census_is_what_is_stored",),
    ),
    Mutation(
        "redriven records not counted",
        "the census counts less than the ledger says is stored",
        "layers/common/python/sluice/deadletters/postgres.py",
        "        add_counts(open_cursor, list(stored.values()), [])\n",
        "",
        (f"{_INTEGRATION}::test_the_census_is_what_is_stored",),
    ),
    Mutation(
        "counts in any order",
        "chunks that count in the same rows deadlock",
        f"{_TEMPLATES}/postgres_counts.py",
        "sorted(counts.templates.items())",
        "sorted(counts.templates.items(), reverse=True)",
        (f"{_INTEGRATION}::test_a_chunk_holds_no_count_that_comes_after_what_it_waits_for",),
    ),
    Mutation(
        "versions told by their first service",
        "a service's logs count under the version of another one",
        f"{_TEMPLATES}/postgres_counts.py",
        '"place": [places[cell.release] for cell in counts]',
        '"place": [1 for cell in counts]',
        ("tests/integration/test_diff.py::test_each_log_with_a_version_counts_by_service_version_template_and_hour",),
    ),
    Mutation(
        "split templates merged again",
        "what a person split is one again with the next line",
        f"{_TEMPLATES}/miner.py",
        "            and not self._templates[other].is_split\n",
        "",
        ("tests/unit/test_templates.py::test_a_template_that_was_split_has_its_lines_and_is_merged_with_nothing",),
    ),
    Mutation(
        "answers remembered too long",
        "lines go to one template or another depending on what the process saw before",
        f"{_TEMPLATES}/shapes.py",
        "for each in list(group) if is_wide else [outline]:",
        "for each in [outline]:",
        ("tests/unit/test_templates.py::test_what_is_remembered_changes_no_answer",),
    ),
    Mutation(
        "lines remembered for ever",
        "a split takes effect when a process happens to end",
        f"{_TEMPLATES}/postgres.py",
        "        if is_changed:\n            self._recent = RecentClusters()\n",
        "",
        ("tests/integration/test_template_reads.py::test_a_process_forgets_within_a_minute_what_was_split",),
    ),
    Mutation(
        "old counts moved twice",
        "a template comes more often when it is looked at later",
        f"{_TEMPLATES}/postgres_history.py",
        "           (received_minute AT TIME ZONE 'UTC')::date, 1, sum(record_count)",
        "           (received_minute AT TIME ZONE 'UTC')::date, 1, sum(record_count) * 2",
        ("tests/integration/test_count_history.py::test_minutes_become_hours_and_hours_days_with_the_same_sums",),
    ),
    Mutation(
        "keys for all applications alike",
        "a line stored unmined gets another application's template",
        f"{_TEMPLATES}/keys.py",
        'f"{application_id} {MASK_VERSION} {masked}"',
        'f"{MASK_VERSION} {masked}"',
        (f"{_CONTRACT}::test_applications_share_nothing",),
    ),
    Mutation(
        "lines remembered for all applications alike",
        "an application's logs get another's templates",
        f"{_TEMPLATES}/recent.py",
        """        found = self._young.get(line)
""",
        """        found = {text: cluster for (_, text), cluster in self._young.items()}.get(line[1])
""",
        (f"{_CONTRACT}::test_applications_share_nothing",),
    ),
    Mutation(
        "an unmined line is lost",
        "logs that were stored while nothing could be learnt never get a template",
        f"{_TEMPLATES}/postgres_counts.py",
        "    if unmined:\n",
        "    if False:\n",
        (f"{_INTEGRATION}::test_logs_are_stored_when_nothing_can_be_learnt_and_get_their_template_later",),
    ),
    Mutation(
        "learnt before it is committed",
        "a process answers with templates that do not exist",
        f"{_TEMPLATES}/postgres.py",
        "            self._replicas.clear()  # they may be ahead of what is committed\n",
        "",
        (f"{_INTEGRATION}::test_what_was_learnt_and_not_committed_is_forgotten",),
    ),
    Mutation(
        "learnt from an old version",
        "two processes make a template of the same line",
        f"{_TEMPLATES}/postgres.py",
        "    replica.load(open_cursor)\n",
        "",
        (f"{_INTEGRATION}::test_who_waited_for_the_lock_learns_from_what_is_there_by_then",),
    ),
    Mutation(
        "templates before delivery",
        "a fault of the miner's holds up logs, and then dead-letters them",
        "functions/process_chunk/app.py",
        "        except Exception:  # delivery first",
        "        except KeyError:  # delivery first",
        ("tests/functions/test_process_chunk.py::test_logs_are_delivered_whatever_becomes_of_templates",),
    ),
    Mutation(
        "a template's last minute is not read",
        "a search for a template misses logs",
        "layers/common/python/sluice/search/postgres_templates.py",
        "max(event_from + span) OVER () AS last",
        "max(event_from) OVER () AS last",
        ("tests/integration/test_template_reads.py::test_logs_of_a_template",),
    ),
)
