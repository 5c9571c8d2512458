"""Faults of who may see what."""

from mutations.model import Mutation

_POLICIES = "layers/common/python/sluice/schema/migrations/0006_word_filters.pre.sql"

ACCESS = (
    Mutation(
        "row security that is always true",
        "every application reads the logs of all",
        _POLICIES,
        "USING (application_id = ANY ((SELECT visible_applications())::integer[])'",
        "USING (true OR application_id = ANY ((SELECT visible_applications())::integer[])'",
        (
            "tests/integration/test_isolation.py::test_the_raw_reader_sees_no_row_unless_its_transaction_says_whose",
            "tests/integration/test_schema.py::test_a_reader_sees_only_what_its_transaction_says",
        ),
    ),
    Mutation(
        "revoked keys are found",
        "a leaked key works for ever",
        "layers/common/python/sluice/schema/migrations/0002_limits_and_last_use.pre.sql",
        "WHERE k.key_id = wanted AND k.status = 'active' AND a.status = 'active'",
        "WHERE k.key_id = wanted AND a.status = 'active'",
        ("tests/integration/test_admin.py::test_an_application_and_its_keys",),
    ),
    Mutation(
        "keys of a disabled application are found",
        "an application that was shut out goes on sending",
        "layers/common/python/sluice/schema/migrations/0002_limits_and_last_use.pre.sql",
        "WHERE k.key_id = wanted AND k.status = 'active' AND a.status = 'active'",
        "WHERE k.key_id = wanted AND k.status = 'active'",
        ("tests/contracts/test_register.py::test_what_is_not_named_stays",),
    ),
    Mutation(
        "a rotated key lives on",
        "a leaked key that was rotated works for ever",
        "layers/common/python/sluice/applications/postgres.py",
        "SET rotated_to = %s, expires_at = least(expires_at, %s)",
        "SET rotated_to = %s, expires_at = CASE WHEN true THEN expires_at ELSE %s END",
        ("tests/contracts/test_register.py::test_rotation",),
    ),
    Mutation(
        "the key cache is trusted",
        "whoever can write to Redis makes keys",
        "layers/common/python/sluice/applications/redis.py",
        "if not hmac.compare_digest(tag, self._tag(document)):",
        "if not document:",
        ("tests/contracts/test_forged_keys.py",),
    ),
    Mutation(
        "every key reads everything",
        "every application reads the logs of all",
        "functions/query/reads.py",
        "is_all = Scope.ADMIN in key.scopes",
        "is_all = True",
        ("tests/integration/test_query.py::test_a_key_sees_its_own_application_and_an_admin_key_all",),
    ),
    Mutation(
        "dead letters for every reader",
        "every application reads and drops the dead letters of all",
        "functions/admin/app.py",
        "lookup.admit(request.method, request.headers, Scope.ADMIN)",
        "lookup.admit(request.method, request.headers, Scope.READ)",
        ("tests/integration/test_dead_letters.py::test_http_refusals",),
    ),
    Mutation(
        "sessions that anybody may sign",
        "whoever knows a key id reads its application's logs",
        "layers/common/python/sluice/applications/sessions.py",
        "if not hmac.compare_digest(signature, _signature(claim, pepper)):",
        "if not signature:",
        ("tests/unit/test_sessions.py::test_no_character_can_be_changed",),
    ),
    Mutation(
        "changes by any page's request",
        "a page that an administrator visits drops dead letters and revokes keys",
        "layers/common/python/sluice/applications/sessions.py",
        'headers.get("sec-fetch-site") in _ELSEWHERE or (is_by_cookie and headers.get(PAGE_HEADER) != "1")',
        "False",
        (
            "tests/unit/test_sessions.py::test_a_change_by_cookie_needs_our_own_page",
            "tests/functions/test_admin.py::test_a_session_administers_from_our_own_page_only",
        ),
    ),
)
