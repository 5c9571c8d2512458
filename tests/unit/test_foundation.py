"""The servers on AWS, as far as it can be told without one: templates that fit each other, passwords, connections."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from deploy import connections, foundation, servers
from deploy.errors import DeployError
from deploy.foundation import Passwords
from deploy.progress import Step
from deploy.stack import Stack
from deploy.target import REPOSITORY

AWS = REPOSITORY / "infra" / "aws"
NAME = "sluice/prod/passwords"
OUTPUTS = {
    "DatabaseHost": "db.internal",
    "BouncerHost": "bouncer.internal",
    "QueueHost": "queue.internal",
    "QueueOptions": "?primary=ask",
}


def template(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return found


FOUNDATION = template(AWS / "foundation.yaml")
NESTED = {
    name: resource["Properties"]
    for name, resource in FOUNDATION["Resources"].items()
    if resource["Type"] == "AWS::CloudFormation::Stack"
}


def current() -> Step:
    return Step("test", lambda detail: None)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Client of an empty Secrets Manager, whatever the shell's variables aim at."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


@pytest.mark.parametrize("name", NESTED)
def test_nested_stacks_get_the_parameters_that_they_have(name: str) -> None:
    child = template(AWS / NESTED[name]["TemplateURL"])
    assert child["Parameters"].keys() == NESTED[name]["Parameters"].keys()


def test_nested_stacks_have_the_outputs_that_are_asked_for() -> None:
    asked = set(re.findall(r'"Fn::GetAtt": \["(\w+)", "Outputs\.(\w+)"\]', json.dumps(FOUNDATION)))
    assert {name for name, _ in asked} == NESTED.keys()
    for name, output in asked:
        assert output in template(AWS / NESTED[name]["TemplateURL"])["Outputs"], (name, output)


def test_the_application_takes_what_the_foundation_gives() -> None:
    application = template(REPOSITORY / "template.yaml")
    assert set(foundation.PARAMETERS) <= application["Parameters"].keys() & FOUNDATION["Outputs"].keys()
    assert {"DatabaseHost", "BouncerHost", "QueueHost", "MasterSecretArn", "RegistryUri"} <= FOUNDATION[
        "Outputs"
    ].keys()
    assert {"Size", "PgBouncerImage", "PasswordsVersion", "KeyArn"} <= FOUNDATION["Outputs"].keys()
    assert "ApiId" in application["Outputs"]


def test_sizes_are_the_same_everywhere() -> None:
    sizes = set(FOUNDATION["Parameters"]["Size"]["AllowedValues"])
    mapped = [found for path in AWS.glob("*.yaml") if (found := template(path).get("Mappings", {}).get("Sizes"))]
    assert len(mapped) == 4
    assert all(set(mapping) == sizes for mapping in mapped)


def test_the_chunks_at_once_fit_into_the_pools() -> None:
    for size in template(AWS / "bouncer.yaml")["Mappings"]["Sizes"].values():
        assert size["ChunkConcurrency"] < size["Tasks"] * size["Pool"]


def test_nothing_leaves_the_network() -> None:
    kinds = {resource["Type"] for resource in template(AWS / "network.yaml")["Resources"].values()}
    assert not kinds & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::EIP"}


def test_users_of_the_queue_are_those_of_the_rules() -> None:
    lines = [line.partition(" ") for line in foundation.USERS.read_text().splitlines() if not line.startswith("#")]
    resources = template(AWS / "queue.yaml")["Resources"].values()
    users = {
        user["UserName"]: user["AccessString"]
        for user in (one["Properties"] for one in resources if one["Type"] == "AWS::ElastiCache::User")
    }
    assert users == {"default": "off -@all"} | {name: f"on {rules}" for name, _, rules in lines}


def test_every_account_gets_a_password_once(secrets: Any) -> None:
    first = foundation.keep_passwords(secrets, NAME, ["sluice_owner", "queue_ingest"], current())
    assert foundation.keep_passwords(secrets, NAME, ["sluice_owner", "queue_ingest"], current()) == first
    assert first.roles.keys() == {"sluice_owner"}
    assert all(re.fullmatch("[A-Za-z0-9]{32}", text) for text in first.by_account.values())
    assert len(set(first.by_account.values())) == 2


def test_a_release_with_one_more_account_keeps_the_others(secrets: Any) -> None:
    first = foundation.keep_passwords(secrets, NAME, ["sluice_owner"], current())
    second = foundation.keep_passwords(secrets, NAME, ["sluice_owner", "sluice_new"], current())
    assert second.version != first.version
    assert second.by_account.items() > first.by_account.items()
    assert foundation.keep_passwords(secrets, NAME, ["sluice_owner"], current()) == second


def test_a_rotation_changes_all(secrets: Any) -> None:
    first = foundation.keep_passwords(secrets, NAME, foundation.accounts(), current())
    second = foundation.change_passwords(secrets, NAME, foundation.accounts())
    assert not set(first.by_account.values()) & set(second.by_account.values())
    assert foundation.keep_passwords(secrets, NAME, foundation.accounts(), current()) == second
    old = secrets.get_secret_value(SecretId=NAME, VersionId=first.version)
    assert json.loads(old["SecretString"]) == first.by_account


@pytest.mark.parametrize("outputs", [{}, {"PgBouncerImage": ""}], ids=["failed", "no image"])
def test_servers_that_are_not_complete_are_not_deployed_on(outputs: dict[str, str]) -> None:
    with pytest.raises(DeployError, match="make foundation STAGE=prod"):
        servers.complete(Stack("ROLLBACK_COMPLETE", "1", outputs), "prod")
    whole = Stack("UPDATE_COMPLETE", "1", {"PgBouncerImage": "registry/pgbouncer:1"})
    assert servers.complete(whole, "prod") is whole


def test_connections_are_complete_and_encrypted() -> None:
    passwords = Passwords({account: f"password-of-{account}" for account in foundation.accounts()}, "1")
    document = foundation.connections_document(OUTPUTS, passwords, "ab" * 32)
    assert document.keys() == connections.KEYS
    for key, url in document.items():
        parts = urlsplit(url)
        if key == "owner_database_url":
            assert (parts.hostname, parts.port) == ("db.internal", 5432)
        elif key.endswith("_database_url"):
            assert (parts.hostname, parts.port) == ("bouncer.internal", 6432)
        if key.endswith("_database_url"):
            assert parse_qs(parts.query)["sslmode"] == ["require"]
            assert parts.password == f"password-of-{parts.username}"
        elif key.endswith("redis_url"):
            assert (parts.scheme, parts.hostname) == ("rediss", "queue.internal")
            assert parts.password == f"password-of-queue_{parts.username}"


def test_the_pepper_outlives_every_deployment(secrets: Any) -> None:
    pepper = foundation.stored_pepper(secrets, "sluice/prod/connections")
    assert re.fullmatch("[0-9a-f]{64}", pepper)
    connections.keep(secrets, "sluice/prod/connections", {"key_pepper": pepper}, current())
    assert foundation.stored_pepper(secrets, "sluice/prod/connections") == pepper


def test_the_administrators_password_may_hold_anything(secrets: Any) -> None:
    account = {"username": "administrator", "password": "a/b@c:d?e#f%"}
    arn = secrets.create_secret(Name="rds", SecretString=json.dumps(account))["ARN"]
    url = foundation.administrator_url(secrets, OUTPUTS | {"MasterSecretArn": arn})
    assert url == "postgresql://administrator:a%2Fb%40c%3Ad%3Fe%23f%25@db.internal:5432/postgres?sslmode=require"
