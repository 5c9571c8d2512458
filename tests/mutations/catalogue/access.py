"""Faults of who may see what."""

from mutations.model import Mutation

_SCHEMA = "layers/common/python/sluice/schema/migrations/0001_foundation.pre.sql"

ACCESS = (
    Mutation(
        "row security that is always true",
        "every application reads the logs of all",
        _SCHEMA,
        "TO sluice_reader USING (is_visible(application_id))",
        "TO sluice_reader USING (true)",
        (
            "tests/integration/test_search.py::test_another_application_sees_nothing",
            "tests/integration/test_schema.py::test_a_reader_sees_only_what_its_transaction_says",
        ),
    ),
    Mutation(
        "revoked keys are found",
        "a leaked key works for ever",
        _SCHEMA,
        "WHERE k.key_id = wanted AND k.status = 'active' AND",
        "WHERE k.key_id = wanted AND",
        ("tests/integration/test_admin.py::test_an_application_and_its_keys",),
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
        "functions/query/app.py",
        "return None if Scope.ADMIN in key.scopes else {key.application_id}",
        "return None",
        ("tests/integration/test_query.py::test_a_key_sees_its_own_application_and_an_admin_key_all",),
    ),
    Mutation(
        "dead letters for every reader",
        "every application reads and drops the dead letters of all",
        "functions/admin/app.py",
        'lookup.authenticate(request.headers.get("x-api-key"), Scope.ADMIN)',
        'lookup.authenticate(request.headers.get("x-api-key"), Scope.READ)',
        ("tests/integration/test_dead_letters.py::test_http_refusals",),
    ),
)
