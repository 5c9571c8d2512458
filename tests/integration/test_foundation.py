"""The nested stacks of infra/aws in the emulator, as far as it goes: GAPS, which fails when it is no longer so."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from deploy import foundation
from deploy.target import REPOSITORY
from stack import Stack

AWS = REPOSITORY / "infra" / "aws"
BUCKET = "templates"
# Types of resources that the emulator refuses.
GAPS = ("AWS::EC2::FlowLog", "AWS::WAFv2::WebACLAssociation", "AWS::WAFv2::LoggingConfiguration")
# Outputs whose attribute it does not know: the secret that RDS makes, and the endpoint of a cluster (larger sizes).
UNKNOWN_OUTPUTS = {"database": "MasterSecretArn"}
PATIENCE_SECONDS = 60


class Cloud:
    """The emulator's CloudFormation and what it needs."""

    def __init__(self, endpoint_url: str) -> None:
        session = boto3.Session("test", "test", region_name="us-east-1")
        self.endpoint_url = endpoint_url
        self.formation: Any = session.client("cloudformation", endpoint_url=endpoint_url)
        self.storage: Any = session.client("s3", endpoint_url=endpoint_url)
        self.secrets: Any = session.client("secretsmanager", endpoint_url=endpoint_url)
        self.made: list[str] = []

    def upload(self, *, without: tuple[str, ...]) -> None:
        self.storage.create_bucket(Bucket=BUCKET)
        for path in AWS.glob("*.yaml"):
            template = yaml_parse(path.read_text(encoding="utf-8"))
            resources = {
                name: resource for name, resource in template["Resources"].items() if resource["Type"] not in without
            }
            for resource in resources.values():
                if resource["Type"] == "AWS::CloudFormation::Stack":
                    resource["Properties"]["TemplateURL"] = self.url(resource["Properties"]["TemplateURL"])
            if name := UNKNOWN_OUTPUTS.get(path.stem):
                template["Outputs"][name]["Value"] = "unknown"
            document = json.dumps(template | {"Resources": resources})
            self.storage.put_object(Bucket=BUCKET, Key=path.name, Body=document)

    def url(self, name: str) -> str:
        return f"{self.endpoint_url}/{BUCKET}/{name}"

    def deploy(self, name: str, template: str, **parameters: str) -> dict[str, str]:
        """The stack's outputs; AssertionError with what failed."""
        values = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        self.made.append(name)
        self.formation.create_stack(
            StackName=name, TemplateURL=self.url(template), Parameters=values, Capabilities=["CAPABILITY_IAM"]
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.formation.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"].endswith(
            "PROGRESS"
        ):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        events = self.formation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [event.get("ResourceStatusReason") for event in events if "FAILED" in event["ResourceStatus"]]
        assert found["StackStatus"] == "CREATE_COMPLETE", reasons
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


@pytest.fixture
def cloud(stack: Stack) -> Iterator[Cloud]:
    made = Cloud(stack.aws_endpoint_url)
    yield made
    for name in made.made:
        made.formation.delete_stack(StackName=name)


def test_the_stacks_deploy(cloud: Cloud) -> None:
    stage = f"t{secrets.token_hex(3)}"
    passwords = {account: secrets.token_hex(8) for account in foundation.accounts()}
    version = cloud.secrets.create_secret(Name=f"sluice/{stage}/passwords", SecretString=json.dumps(passwords))[
        "VersionId"
    ]
    cloud.upload(without=GAPS)
    outputs = cloud.deploy(
        f"sluice-{stage}-foundation",
        "foundation.yaml",
        Stage=stage,
        PasswordsSecret=f"sluice/{stage}/passwords",
        PasswordsVersion=version,
        PgBouncerImage="registry/pgbouncer:tag",
        AlarmEmail="who@example.com",
    )
    assert set(foundation.PARAMETERS) <= outputs.keys()
    assert len(outputs["VpcSubnetIds"].split(",")) == 2
    assert outputs["DatabaseHost"]
    assert outputs["BouncerHost"]
    assert outputs["QueueHost"]
    edge = cloud.deploy(f"sluice-{stage}-edge", "edge.yaml", Stage=stage, ApiId="api", KeyArn=outputs["KeyArn"])
    assert edge["PlanId"]


@pytest.mark.parametrize("kind", GAPS)
def test_the_gaps_are_still_there(cloud: Cloud, kind: str) -> None:
    template = json.dumps({"Resources": {"One": {"Type": kind, "Properties": {}}}})
    name = f"gap-{secrets.token_hex(3)}"
    try:
        cloud.formation.create_stack(StackName=name, TemplateBody=template)
        cloud.made.append(name)
        time.sleep(0.5)
        events = cloud.formation.describe_stack_events(StackName=name)["StackEvents"]
        refusal = " ".join(event.get("ResourceStatusReason", "") for event in events)
    except ClientError as error:
        refusal = str(error)
    assert kind in refusal or "Unsupported resource type" in refusal
