"""The deploy tool, as far as it can be told without a deployment: where it deploys to, and what it stores there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy import build, connections, invocations, record
from deploy.errors import DeployError
from deploy.progress import Step
from deploy.stack import Stack, is_deployed
from deploy.target import Target, read_variables, resolve, write_variable

NAME = "sluice/local/connections"
ENDPOINT = "http://127.0.0.1:4566"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Directory of an embedded stack that was started."""
    (tmp_path / "env").write_text(f"export AWS_ENDPOINT_URL={ENDPOINT}\nexport AWS_ACCESS_KEY_ID=test\n")
    return tmp_path


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Client of an empty Secrets Manager, whatever the shell's variables aim at."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


def current() -> Step:
    return Step("test", lambda detail: None)


def document(folder: Path, **changes: str) -> Path:
    file = folder / "connections.json"
    file.write_text(json.dumps(dict.fromkeys(connections.KEYS, "value") | changes))
    return file


def test_local_is_the_embedded_stack(state: Path) -> None:
    target, variables = resolve("local", state, {})
    assert target == Target("local", ENDPOINT, state)
    assert variables == {"AWS_ENDPOINT_URL": ENDPOINT, "AWS_ACCESS_KEY_ID": "test"}


def test_local_never_goes_to_aws(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="make up"):
        resolve("local", tmp_path, {"AWS_PROFILE": "company"})


def test_an_endpoint_of_the_shell_wins(state: Path) -> None:
    target, variables = resolve("local", state, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert target == Target("local", "http://127.0.0.1:9", None)
    assert variables == {}


def test_the_endpoint_of_the_embedded_stack_is_that_stack(state: Path) -> None:
    assert resolve("local", state, {"AWS_ENDPOINT_URL": ENDPOINT})[0].state == state


def test_other_stages_leave_the_embedded_stack_alone(state: Path) -> None:
    assert resolve("prod", state, {}) == (Target("prod", None, None), {})
    assert resolve("prod", state, {"AWS_ENDPOINT_URL": ENDPOINT})[0].state is None


def test_variable_replaces_its_earlier_value(state: Path) -> None:
    for value in ("http://one/", "http://two/?a b"):
        write_variable(state / "env", "SLUICE_URL", value)
    assert read_variables(state / "env") == {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "test",
        "SLUICE_URL": "http://two/?a b",
    }
    assert (state / "env").stat().st_mode & 0o077 == 0


def test_secret_gets_a_version_only_when_it_changes(secrets: Any, tmp_path: Path) -> None:
    first = connections.publish(secrets, NAME, document(tmp_path), current())
    assert connections.publish(secrets, NAME, document(tmp_path), current()) == first
    second = connections.publish(secrets, NAME, document(tmp_path, drain_redis_url="redis://elsewhere"), current())
    assert second != first
    assert connections.current_version(secrets, NAME) == second


def test_a_missing_secret_is_named(secrets: Any) -> None:
    with pytest.raises(DeployError, match=f"the secret {NAME} does not exist. .*make foundation"):
        connections.current_version(secrets, NAME)


def test_a_missing_key_of_the_secret_is_named(secrets: Any) -> None:
    secrets.create_secret(
        Name=NAME, SecretString=json.dumps(dict.fromkeys(connections.KEYS - {"drain_redis_url"}, "value"))
    )
    with pytest.raises(DeployError, match="lacks drain_redis_url"):
        connections.current_version(secrets, NAME)


def test_an_unknown_parameter_is_refused() -> None:
    build.check_parameters(["ShardCount"])
    with pytest.raises(DeployError, match="no parameter VpcSubnetId;"):
        build.check_parameters(["ShardCount", "VpcSubnetId"])


def test_a_deployment_is_current_until_anything_changes(tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    deployed = Stack("UPDATE_COMPLETE", "id at noon", {"ApiUrl": ENDPOINT})
    assert not record.is_current(file, deployed, "sources")
    record.write(file, deployed, "sources", "migrations")
    assert record.is_current(file, deployed, "sources")
    assert not record.is_current(file, deployed, "other sources")
    assert not record.is_current(file, Stack("UPDATE_COMPLETE", "id at one", {}), "sources")
    assert not record.is_current(file, Stack("UPDATE_ROLLBACK_COMPLETE", "id at noon", {}), "sources")
    assert not record.is_current(file, None, "sources")


@pytest.mark.parametrize(
    ("status", "is_new", "deployed"),
    [
        ("UPDATE_COMPLETE", True, True),
        ("UPDATE_COMPLETE", False, True),
        ("UPDATE_ROLLBACK_COMPLETE", True, False),
        ("UPDATE_ROLLBACK_COMPLETE", False, True),  # the failed update was taken back: there is nothing to deploy
        ("UPDATE_ROLLBACK_FAILED", False, False),
    ],
)
def test_what_a_deployment_left_is_judged_by_what_was_there(status: str, is_new: bool, deployed: bool) -> None:
    before, after = Stack(status, "id at noon", {}), Stack(status, "id at one" if is_new else "id at noon", {})
    assert is_deployed(before, after) == deployed


class Functions:
    """Stands for the Lambda client: answers every Invoke alike."""

    def __init__(self, answer: dict[str, Any], **more: str) -> None:
        self._response = {"Payload": self, **more}
        self._answer = answer

    def invoke(self, **_: object) -> dict[str, Any]:
        return self._response

    def read(self) -> bytes:
        return json.dumps(self._answer).encode()


def test_migration_reports_what_it_applied() -> None:
    step = current()
    functions: Any = Functions({"applied": ["0002_more"], "version": "0002_more"})
    invocations.migrate(functions, "admin", step)
    assert step.note == "applied 0002_more"


def test_migration_that_fails_fails_the_deployment() -> None:
    functions: Any = Functions({"errorMessage": "checksum: 0001 was changed"}, FunctionError="Unhandled")
    with pytest.raises(DeployError, match="checksum: 0001 was changed"):
        invocations.migrate(functions, "admin", current())
