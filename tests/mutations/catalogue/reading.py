"""Faults of what readers get: sessions, other applications' logs, budgets, the live tail."""

from mutations.model import Mutation

_SESSIONS = "layers/common/python/sluice/applications/sessions.py"
_LOOKUP = "layers/common/python/sluice/applications/lookup.py"
_SCAN = "layers/common/python/sluice/search/postgres_scan.py"
_TAIL = "layers/common/python/sluice/tail/postgres.py"
_SEATS = "layers/common/python/sluice/tail/redis.py"
_FILTERS = "tests/integration/test_word_filters.py"
_LANGUAGE = "layers/common/python/sluice/search/language.py"

READING = (
    Mutation(
        "a session that never ends",
        "a cookie that was copied once reads logs for ever",
        _SESSIONS,
        "return Session(key_id, expires_at) if now < expires_at else None",
        "return Session(key_id, expires_at)",
        ("tests/unit/test_sessions.py",),
    ),
    Mutation(
        "a session that outlives its key",
        "whoever was shut out goes on reading",
        _LOOKUP,
        "if session is None or key is None or is_expired(key.expires_at, self._clock()):",
        "if session is None or key is None:",
        ("tests/unit/test_sessions.py::test_a_session_ends_with_its_keys_expiry",),
    ),
    Mutation(
        "a session cookie for scripts",
        "a script that is injected into the page takes the session with it",
        _SESSIONS,
        "; HttpOnly; SameSite=Strict",
        "; SameSite=Strict",
        ("tests/unit/test_sessions.py::test_the_cookie_is_out_of_reach_of_scripts_and_other_sites",),
    ),
    Mutation(
        "neighbours from everywhere",
        "the context of a log shows logs of other applications",
        "layers/common/python/sluice/search/postgres.py",
        "visible = replace(self._visible, names={row[2]: self._visible.names[row[2]]})",
        "visible = self._visible",
        ("tests/integration/test_isolation.py::test_the_context_of_a_log_is_of_its_application",),
    ),
    Mutation(
        "a budget that is never used up",
        "one query keeps a connection of the database busy until the gateway gives up on it",
        _SCAN,
        "return not self.has_time() or self._row_count >= self.budget.max_rows",
        "return self._row_count >= self.budget.max_rows",
        ("tests/integration/test_query_scale.py::test_a_walk_ends_at_the_first_border_after_its_time",),
    ),
    Mutation(
        "a part that looks whole",
        "counts leave out most logs, and nothing says so",
        _SCAN,
        "                    self.is_partial = True\n                    return\n",
        "                    return\n",
        ("tests/integration/test_query_scale.py::test_a_walk_ends_before_a_stretch_for_which_nothing_is_left",),
    ),
    Mutation(
        "a tail beyond the oldest transaction",
        "what commits late is never shown to whoever follows",
        _TAIL,
        "SELECT horizon::text, oldest_running::text, newest::text,",
        "SELECT newest::text, oldest_running::text, newest::text,",
        ("tests/integration/test_tail.py::test_transactions_that_commit_out_of_order",),
    ),
    Mutation(
        "filters within the spans",
        "each look of a tail with filters reads every log that there is",
        _TAIL,
        "         OFFSET 0) AS log_entries\n",
        "         ) AS log_entries\n",
        ("tests/integration/test_tail.py::test_rows_of_an_entry_are_found_by_the_index_of_receipt",),
    ),
    Mutation(
        "an index that locks its progress",
        "every tail stands still while word filters are made",
        "layers/common/python/sluice/filters/postgres.py",
        "WHERE pg_try_advisory_xact_lock(hashtext('sluice.word_filters'))",
        "FOR UPDATE SKIP LOCKED",
        (f"{_FILTERS}::test_who_follows_the_order_of_storing_is_not_held_back_meanwhile",),
    ),
    Mutation(
        "groups of a slab beyond the window are forgotten",
        "a search misses logs whose filters got into a slab",
        "layers/common/python/sluice/search/postgres_groups.py",
        "self._later = every[count:]",
        "self._later = []",
        (f"{_FILTERS}::test_a_search_misses_nothing_that_gets_into_a_slab_meanwhile",),
    ),
    Mutation(
        "slabs that keep words of erased logs",
        "a person's words outlive their logs",
        "layers/common/python/sluice/erasures/postgres.py",
        "    open_members(open_cursor, erasure.application_id, retention_class, first, spans)\n",
        "",
        ("tests/integration/test_erasure.py::test_words_leave_slabs_as_they_leave_filters",),
    ),
    Mutation(
        "all seats for one application",
        "one application with many readers leaves no live tail to the others",
        _SEATS,
        "if taken <= self._count and own <= max(1, int(self._count * _APPLICATION_SHARE)):",
        "if taken <= self._count:",
        ("tests/integration/test_tail.py::test_one_application_does_not_take_all_seats",),
    ),
    Mutation(
        "news that were read before",
        "a log that is stored while a waiting request reads is shown a second late",
        "functions/query/tail.py",
        "            before, self._mark = self._mark, tail.news.mark(self._ids)\n",
        "            before = tail.news.mark(self._ids)\n            self._mark = before\n",
        ("tests/functions/test_tail.py::test_what_was_stored_while_it_read_is_news",),
    ),
    Mutation(
        "a client's pattern",
        "a search for text with a parenthesis or a star finds something else, or fails",
        "layers/common/python/sluice/search/postgres_conditions.py",
        'return "***:" + begins + _METACHARACTER.sub(r"\\\\\\g<0>", text.text) + ends',
        'return "***:" + begins + text.text + ends',
        ("tests/integration/test_query_hostile.py::test_text_is_text_wherever_it_stands",),
    ),
    Mutation(
        "a formula in a cell",
        "a log that somebody sends runs in the spreadsheet of whoever exports it",
        "layers/common/python/sluice/search/export.py",
        "is_formula = text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA)",
        "is_formula = False",
        ("tests/functions/test_query.py::test_an_export",),
    ),
    Mutation(
        "parentheses without end",
        "a query of 4,000 parentheses overflows the stack",
        _LANGUAGE,
        "if self._depth > MAX_DEPTH:",
        "if self._depth > MAX_CHARACTERS:",
        ("tests/unit/test_query_language.py",),
    ),
)
