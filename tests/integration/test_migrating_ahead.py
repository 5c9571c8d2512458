"""Migrations that come before a release's functions, by a function made for them, in the emulator."""

from typing import Any

import boto3
import pytest

from deploy import ahead, build
from deploy.errors import DeployError
from deploy.progress import Step

ADMIN = "sluice-local-admin"


def current() -> Step:
    return Step("test", lambda detail: None)


@pytest.fixture
def functions(operator_environment: dict[str, str]) -> Any:
    session = boto3.Session("test", "test", region_name="us-east-1")
    return session.client("lambda", endpoint_url=operator_environment["AWS_ENDPOINT_URL"])


def names(functions: Any) -> set[str]:
    return {found["FunctionName"] for found in functions.list_functions()["Functions"]}


def test_a_copy_of_the_new_admin_function_migrates_and_is_gone(functions: Any) -> None:
    before = names(functions)
    step = current()
    ahead.migrate(functions, ADMIN, build.ARTIFACTS, step)
    assert step.note.startswith("at 00")  # the fixture migrated already
    assert names(functions) == before


def test_one_that_was_left_behind_is_replaced(functions: Any) -> None:
    deployed = functions.get_function_configuration(FunctionName=ADMIN)
    options = {name: deployed[name] for name in ("Runtime", "Role", "Handler")}
    functions.create_function(FunctionName=f"{ADMIN}-ahead", Code={"ZipFile": b"PK\5\6" + bytes(18)}, **options)
    ahead.migrate(functions, ADMIN, build.ARTIFACTS, current())
    assert f"{ADMIN}-ahead" not in names(functions)


def test_a_failure_is_told_and_leaves_nothing(functions: Any) -> None:
    """The reader's function has no rights to migrate."""
    with pytest.raises(DeployError, match="the migration failed: "):
        ahead.migrate(functions, "sluice-local-query", build.ARTIFACTS, current())
    assert "sluice-local-query-ahead" not in names(functions)
