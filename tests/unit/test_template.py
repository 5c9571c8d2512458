"""template.yaml as SAM translates it: settings, rights, routes and refusals; an emulator proves only some of them."""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # ships no types
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from deploy.connections import KEYS
from deploy.target import REPOSITORY
from sluice.metrics.registry import METRICS, Place
from sluice.runtime.settings import (
    AdminSettings,
    AlertsSettings,
    ArchiveSettings,
    DashboardSettings,
    DeliverSettings,
    DrainSettings,
    IndexSettings,
    IngestSettings,
    ProcessChunkSettings,
    QuerySettings,
    WatchSettings,
)
from sluice.streams.redis import MAX_SHARDS

SETTINGS: dict[str, Any] = {
    "IngestFunction": IngestSettings,
    "DrainFunction": DrainSettings,
    "ProcessChunkFunction": ProcessChunkSettings,
    "QueryFunction": QuerySettings,
    "IndexFunction": IndexSettings,
    "DeliverFunction": DeliverSettings,
    "WatchFunction": WatchSettings,
    "AlertsFunction": AlertsSettings,
    "AdminFunction": AdminSettings,
    "ArchiveFunction": ArchiveSettings,
    "DashboardFunction": DashboardSettings,
}
# Read by Powertools, or there for people who look at a function.
NOT_SETTINGS = {
    "SLUICE_STAGE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOG_LEVEL",
    "PYTHONOPTIMIZE",
}
SHARED = [REPOSITORY / "layers/common/python/sluice/metrics/chunks.py"]
DATABASE = "postgresql://role:password@db:5432/sluice"
REDIS = "redis://user:password@redis:6379/0"
CONNECTIONS = {key: REDIS if key.endswith("_redis_url") else DATABASE for key in KEYS} | {"key_pepper": "ab" * 32}
REFERENCE = re.compile(
    r"\{\{resolve:secretsmanager:\$\{ConnectionsSecret\}:SecretString:(\w+)::\$\{ConnectionsVersion\}\}\}"
)
SECRET_LOOKING = re.compile(r"\w+://[^/\s]*:[^/\s]*@|AKIA[A-Z0-9]{12}|\b[0-9a-f]{32,}\b|BEGIN [A-Z ]*PRIVATE KEY")

LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]


@cache
def template() -> dict[str, Any]:
    """The template as it is written, intrinsic functions as one-key mappings."""
    parsed: dict[str, Any] = yaml_parse((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))
    return parsed


@cache
def resources() -> dict[str, Any]:
    """All resources that CloudFormation gets to see."""
    source = deepcopy(template())
    for resource in source["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][name] = "s3://bucket/key"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    translated = translator.translate(source, {"Stage": "test", "ConnectionsSecret": "connections"})
    found: dict[str, Any] = translated["Resources"]
    return found


def of_type(name: str) -> dict[str, Any]:
    """Properties of the resources of one type, by logical id."""
    return {key: resource["Properties"] for key, resource in resources().items() if resource["Type"] == name}


def strings(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def environment(function: str, **parameters: str) -> dict[str, str]:
    """What the function finds in its environment after a deployment, by default with the default parameters."""
    return {name: resolved(value, parameters) for name, value in variables(function).items()}


def variables(function: str) -> dict[str, Any]:
    found: dict[str, Any] = of_type("AWS::Lambda::Function")[function]["Environment"]["Variables"]
    return found


def resolved(value: Any, parameters: Mapping[str, str]) -> str:
    match value:
        case str():
            return value
        case {"Ref": "Stage"}:
            return "test"
        case {"Ref": name} if name in template()["Parameters"]:
            return str(parameters.get(name, template()["Parameters"][name]["Default"]))
        case {"Fn::If": ["Wakes", wakes, ticks]}:
            return resolved(wakes if parameters.get("DrainMode", "wake") == "wake" else ticks, parameters)
        case {"Ref": name}:
            return f"name-of-{name}"
        case {"Fn::Sub": text} if found := REFERENCE.fullmatch(text):
            return CONNECTIONS[found[1]]
    raise AssertionError(f"this test cannot resolve {value}: teach it, if the value belongs in an environment")


class Recording(dict[str, str]):
    """An environment that remembers what was read from it."""

    def __init__(self, content: Mapping[str, str]) -> None:
        super().__init__(content)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.read.add(key)
        return super().__getitem__(key)


def test_every_function_is_covered_here() -> None:
    assert of_type("AWS::Lambda::Function").keys() == SETTINGS.keys()


@pytest.mark.parametrize("function", SETTINGS)
def test_environment_is_what_the_settings_read(function: str) -> None:
    recording = Recording(environment(function))
    SETTINGS[function].from_env(recording)
    assert recording.read == recording.keys() - NOT_SETTINGS


def test_ingest_wakes_the_drain_only_in_its_mode() -> None:
    assert environment("IngestFunction")["DRAIN_FUNCTION"] == "name-of-DrainFunction"
    ticking = IngestSettings.from_env(environment("IngestFunction", DrainMode="tick"))
    assert ticking.drain_function == ""


@pytest.mark.parametrize("function", SETTINGS)
def test_environment_values_are_strings(function: str) -> None:
    """AWS turns numbers into strings; emulators hand them to the operating system, which refuses them."""
    assert all(isinstance(value, str | dict) for value in variables(function).values())


@pytest.mark.parametrize("function", SETTINGS)
def test_roles_see_their_own_connection_only(function: str) -> None:
    expected = {
        "IngestFunction": {"ingest_database_url", "ingest_redis_url", "key_pepper"},
        "DrainFunction": {"drain_redis_url"},
        "ProcessChunkFunction": {"writer_database_url", "process_chunk_redis_url"},
        "QueryFunction": {"reader_database_url", "query_redis_url", "key_pepper"},
        "IndexFunction": {"indexer_database_url"},
        "DeliverFunction": set(),
        "WatchFunction": {"watcher_database_url", "watch_redis_url", "key_pepper"},
        "AlertsFunction": {"alerts_database_url", "alerts_redis_url", "key_pepper"},
        "AdminFunction": {"owner_database_url", "key_pepper"},
        "ArchiveFunction": {"archiver_database_url", "archive_redis_url"},
        "DashboardFunction": {"ingest_database_url", "dashboard_redis_url", "key_pepper"},
    }
    found = {match[1] for text in strings(variables(function)) if (match := REFERENCE.fullmatch(text))}
    assert found == expected[function]


def test_no_secret_is_written_down() -> None:
    assert not [text for text in strings(template()) if SECRET_LOOKING.search(text)]


def statements(role: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Actions and resource of each statement of a role."""
    for policy in of_type("AWS::IAM::Role")[role]["Policies"]:
        match policy:
            case {"Fn::If": ["Wakes" | "SendsEmail", policy, {"Ref": "AWS::NoValue"}]}:
                pass
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            yield tuple([actions] if isinstance(actions, str) else actions), statement["Resource"]


@pytest.mark.parametrize("function", SETTINGS)
def test_rights_are_the_least(function: str) -> None:
    noun = function.removesuffix("Function")
    role = f"{noun}Role"
    queue = {"Fn::GetAtt": ["FailedInvocations", "Arn"]}
    expected: list[tuple[tuple[str, ...], Any]] = [(tuple(LOGS), {"Fn::GetAtt": [f"{noun}LogGroup", "Arn"]})]
    if function == "IngestFunction":
        expected.append((("lambda:InvokeFunction",), {"Fn::GetAtt": ["DrainFunction", "Arn"]}))
    if function == "DrainFunction":
        expected.append((("lambda:InvokeFunction",), {"Fn::GetAtt": ["ProcessChunkFunction", "Arn"]}))
    if function in {"WatchFunction", "AlertsFunction"}:
        expected.append((("lambda:InvokeFunction",), {"Fn::GetAtt": ["DeliverFunction", "Arn"]}))
    if function == "DeliverFunction":
        account = "${AWS::AccountId}"
        topics = {"Fn::Sub": f"arn:${{AWS::Partition}}:sns:*:{account}:sluice-alerts-*"}
        mail = {"Fn::Sub": f"arn:${{AWS::Partition}}:ses:${{AWS::Region}}:{account}:*"}
        expected += [(("sns:Publish",), topics), (("ses:SendEmail",), mail)]
    if function in {"DrainFunction", "IndexFunction", "WatchFunction", "ArchiveFunction", "AdminFunction"}:
        expected.append((("sqs:SendMessage",), queue))
    if function == "ArchiveFunction":
        bucket = {"Fn::GetAtt": ["ArchiveBucket", "Arn"]}
        expected.append((("s3:ListBucket", "s3:ListBucketVersions"), bucket))
        changes = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")
        expected.append((("s3:GetObject", *changes), {"Fn::Sub": "${ArchiveBucket.Arn}/logs/*"}))
    assert of_type("AWS::Lambda::Function")[function]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    assert list(statements(role)) == expected


def test_only_a_vpc_and_tracing_bring_further_rights() -> None:
    further = {"NetworkInterfaces": ("InVpc", "ec2:"), "TraceSegments": ("Traces", "xray:")}
    for name, role in of_type("AWS::IAM::Role").items():
        assert role["ManagedPolicyArns"] == [
            {"Fn::If": [condition, {"Ref": policy}, {"Ref": "AWS::NoValue"}]}
            for policy, (condition, _) in further.items()
            if (name, policy) != ("DeliverRole", "NetworkInterfaces")
        ]
    policies = of_type("AWS::IAM::ManagedPolicy") | of_type("AWS::IAM::Policy")
    assert policies.keys() == further.keys()
    for policy, (condition, service) in further.items():
        assert resources()[policy]["Condition"] == condition
        actions = policies[policy]["PolicyDocument"]["Statement"][0]["Action"]
        assert all(action.startswith(service) for action in actions)


def test_tracing_is_off_unless_wanted() -> None:
    assert template()["Parameters"]["Tracing"]["Default"] == "Off"
    for function in of_type("AWS::Lambda::Function").values():
        assert function["TracingConfig"] == {"Mode": {"Fn::If": ["Traces", "Active", "PassThrough"]}}
    assert of_type("AWS::ApiGateway::Stage")["ApiStage"]["TracingEnabled"] == {"Fn::If": ["Traces", True, False]}


def test_deliver_is_outside_the_network_and_only_sends() -> None:
    """It asks URLs that strangers named: nothing private may be in its reach."""
    functions = of_type("AWS::Lambda::Function")
    assert functions["DeliverFunction"]["VpcConfig"] == {"Ref": "AWS::NoValue"}
    assert all("Fn::If" in function["VpcConfig"] for name, function in functions.items() if name != "DeliverFunction")
    (mail,) = (
        statement
        for policy in of_type("AWS::IAM::Role")["DeliverRole"]["Policies"]
        if "Fn::If" in policy
        for statement in policy["Fn::If"][1]["PolicyDocument"]["Statement"]
    )
    assert mail["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "EmailFrom"}}}
    settings = DeliverSettings.from_env(environment("DeliverFunction"))
    assert settings == DeliverSettings(webhook_ports=frozenset({443}), webhook_allow_list=frozenset(), email_from="")


def test_who_may_invoke_what() -> None:
    invoked = {
        (permission["FunctionName"]["Ref"], permission["Principal"])
        for permission in of_type("AWS::Lambda::Permission").values()
    }
    assert invoked == {
        ("IngestFunction", "apigateway.amazonaws.com"),
        ("QueryFunction", "apigateway.amazonaws.com"),
        ("AlertsFunction", "apigateway.amazonaws.com"),
        ("AdminFunction", "apigateway.amazonaws.com"),
        ("DashboardFunction", "apigateway.amazonaws.com"),
        ("DrainFunction", "events.amazonaws.com"),
        ("IndexFunction", "events.amazonaws.com"),
        ("WatchFunction", "events.amazonaws.com"),
        ("ArchiveFunction", "events.amazonaws.com"),
        ("AdminFunction", "events.amazonaws.com"),
        ("QueryFunction", "events.amazonaws.com"),
    }


def test_logs_are_kept_for_a_limited_time() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    for name, function in of_type("AWS::Lambda::Function").items():
        group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        assert group["LogGroupName"]["Fn::Sub"] == "/aws/lambda/" + function["FunctionName"]["Fn::Sub"], name


def test_time_outs() -> None:
    functions = of_type("AWS::Lambda::Function")
    found = {name: function["Timeout"] for name, function in functions.items()}
    assert found == {
        "IngestFunction": 20,
        "DrainFunction": 110,
        "ProcessChunkFunction": 30,
        "QueryFunction": 29,
        "IndexFunction": 60,
        "WatchFunction": 95,
        "AlertsFunction": 29,
        "DeliverFunction": 20,
        "AdminFunction": 300,
        "ArchiveFunction": 600,
        "DashboardFunction": 20,
    }
    assert environment("DrainFunction")["PROCESS_CHUNK_TIMEOUT_SECONDS"] == str(found["ProcessChunkFunction"])
    for caller in ("WatchFunction", "AlertsFunction"):
        assert environment(caller)["DELIVER_TIMEOUT_SECONDS"] == str(found["DeliverFunction"])


def test_every_shard_that_may_be_deployed_is_looked_for() -> None:
    assert template()["Parameters"]["ShardCount"]["MaxValue"] == MAX_SHARDS


def test_readers_of_the_queue_are_replaced_before_its_writer() -> None:
    """Who writes a new version of entries finds nobody who knows only the one before."""
    assert resources()["IngestFunction"]["DependsOn"] == "ProcessChunkFunction"


def test_schedules() -> None:
    rules = {
        rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]: (rule["ScheduleExpression"], rule["Targets"][0]["Input"])
        for rule in of_type("AWS::Events::Rule").values()
    }
    event = {"Fn::FindInMap": ["Schedule", {"Ref": "DrainMode"}, "Event"]}
    assert rules == {
        "DrainFunction": ("rate(1 minute)", event),
        "IndexFunction": ("rate(1 minute)", "{}"),
        "WatchFunction": ("rate(1 minute)", "{}"),
        "ArchiveFunction": ("rate(15 minutes)", '{"action": "run"}'),
        "AdminFunction": ("rate(1 day)", '{"action": "maintain"}'),
        "QueryFunction": ("rate(5 minutes)", '{"action": "audit"}'),
    }
    assert template()["Outputs"]["DrainEvent"]["Value"] == event
    events = {mode: json.loads(item["Event"]) for mode, item in template()["Mappings"]["Schedule"].items()}
    assert events == {"wake": {"ticks": 1}, "tick": {"ticks": 6, "tick_seconds": 10}}
    assert events.keys() == set(template()["Parameters"]["DrainMode"]["AllowedValues"])


def test_background_failures_reach_the_queue() -> None:
    queue = {"Fn::GetAtt": ["FailedInvocations", "Arn"]}
    configurations = of_type("AWS::Lambda::EventInvokeConfig").values()
    assert {found["FunctionName"]["Ref"] for found in configurations} == {
        "DrainFunction",
        "IndexFunction",
        "WatchFunction",
        "ArchiveFunction",
        "AdminFunction",
    }
    assert all(found["DestinationConfig"]["OnFailure"]["Destination"] == queue for found in configurations)
    for rule in of_type("AWS::Events::Rule").values():
        assert rule["Targets"][0]["DeadLetterConfig"]["Arn"] == queue
    assert resources()["FailedInvocations"]["Properties"]["SqsManagedSseEnabled"] is True


def test_the_archive_is_closed_and_kept() -> None:
    bucket = resources()["ArchiveBucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "VersioningConfiguration" not in properties  # what is erased must be gone
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    # Of all classes, those that are read at once.
    assert {step["StorageClass"] for step in rule["Transitions"]} <= {"STANDARD_IA", "GLACIER_IR"}
    (statement,) = resources()["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def api_document() -> dict[str, Any]:
    document: dict[str, Any] = of_type("AWS::ApiGateway::RestApi")["Api"]["Body"]
    return document


def test_routes() -> None:
    routes = {(method, path) for path, item in api_document()["paths"].items() for method in item}
    assert routes == {
        ("post", "/api/ingest"),
        ("post", "/v1/logs"),
        ("post", "/otlp/v1/logs"),
        ("get", "/api/logs"),
        ("get", "/api/logs/{id}"),
        ("get", "/api/histogram"),
        ("get", "/api/facets"),
        ("get", "/api/stats"),
        ("get", "/api/query-language"),
        ("get", "/api/ledger"),
        ("get", "/api/pipeline"),
        ("get", "/api/tail"),
        ("get", "/api/usage"),
        ("get", "/metrics"),
        ("get", "/healthz"),
        ("get", "/openapi.json"),
        ("get", "/api/applications"),
        ("post", "/api/applications"),
        ("get", "/api/applications/{name}"),
        ("patch", "/api/applications/{name}"),
        ("get", "/api/retention-classes"),
        ("post", "/api/retention-classes"),
        ("patch", "/api/retention-classes/{name}"),
        ("get", "/api/applications/{name}/retention"),
        ("patch", "/api/applications/{name}/retention"),
        ("get", "/api/applications/{name}/keys"),
        ("post", "/api/applications/{name}/keys"),
        ("delete", "/api/keys/{key_id}"),
        ("post", "/api/keys/{key_id}/rotate"),
        ("get", "/api/dead-letters"),
        ("get", "/api/dead-letters/{id}"),
        ("post", "/api/dead-letters/redrive"),
        ("get", "/api/batches/{id}"),
        ("get", "/api/templates"),
        ("get", "/api/templates/{id}"),
        ("patch", "/api/templates/{id}"),
        ("get", "/api/diff"),
        ("get", "/api/anomalies"),
        ("get", "/api/anomalies/{id}"),
        ("put", "/api/anomalies/{id}/feedback"),
        ("post", "/api/anomalies/backtest"),
        ("post", "/api/dead-letters/drop"),
        ("get", "/api/rules"),
        ("post", "/api/rules"),
        ("post", "/api/rules/test"),
        ("get", "/api/rules/{id}"),
        ("patch", "/api/rules/{id}"),
        ("delete", "/api/rules/{id}"),
        ("get", "/api/incidents"),
        ("get", "/api/incidents/{id}"),
        ("post", "/api/incidents/{id}/acknowledge"),
        ("get", "/api/channels"),
        ("post", "/api/channels"),
        ("get", "/api/channels/{id}"),
        ("patch", "/api/channels/{id}"),
        ("delete", "/api/channels/{id}"),
        ("post", "/api/channels/{id}/test"),
        ("post", "/api/channels/{id}/rotate"),
        ("get", "/api/silences"),
        ("post", "/api/silences"),
        ("delete", "/api/silences/{id}"),
        ("get", "/api/maintenance-windows"),
        ("post", "/api/maintenance-windows"),
        ("delete", "/api/maintenance-windows/{id}"),
        ("get", "/api/deliveries"),
        ("get", "/"),
        ("get", "/assets/{name}"),
        ("post", "/api/session"),
        ("get", "/api/session"),
        ("delete", "/api/session"),
    }


def test_bodies_reach_functions_as_bytes() -> None:
    assert of_type("AWS::ApiGateway::RestApi")["Api"]["BinaryMediaTypes"] == ["*/*"]


def test_stage_is_throttled() -> None:
    (settings,) = of_type("AWS::ApiGateway::Stage")["ApiStage"]["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ThrottleBurst"}


REFUSALS = {
    "DEFAULT_4XX": (None, "gateway_refused"),
    "DEFAULT_5XX": (None, "gateway_failed"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "no_such_route"),
    "RESOURCE_NOT_FOUND": (404, "no_such_route"),
    "REQUEST_TOO_LARGE": (413, "body_too_large"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported_media_type"),
    "THROTTLED": (429, "gateway_throttled"),
    "QUOTA_EXCEEDED": (429, "quota_exceeded"),
    "INTEGRATION_FAILURE": (503, "gateway_unavailable"),
    "INTEGRATION_TIMEOUT": (504, "gateway_timeout"),
}


def test_every_refusal_is_covered_here() -> None:
    assert set(api_document()["x-amazon-apigateway-gateway-responses"]) == set(REFUSALS)


@pytest.mark.parametrize(("name", "status", "code"), [(name, *value) for name, value in REFUSALS.items()])
def test_gateway_refuses_with_a_problem_document(name: str, status: int | None, code: str) -> None:
    response = api_document()["x-amazon-apigateway-gateway-responses"][name]
    body = response["responseTemplates"]["application/json"].replace("$context.error.messageString", '"text"')
    problem = json.loads(body)
    headers = response["responseParameters"]
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["code"] == code
    assert problem.get("status") == status
    assert response.get("statusCode") == (str(status) if status else None)
    assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    must_say_when = code == "gateway_failed" or status in {429, 503, 504}
    assert ("gatewayresponse.header.Retry-After" in headers) == must_say_when


def alarms() -> dict[str, Any]:
    """The properties of each alarm."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_alarms_and_the_dashboard_watch_metrics_that_there_are() -> None:
    watched = [
        (one["MetricName"], {dimension["Name"]: dimension["Value"] for dimension in one["Dimensions"]}["service"])
        for one in alarms().values()
        if one["Namespace"] == "Sluice"
    ]
    body = template()["Resources"]["PipelineDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for widget in json.loads(body)["widgets"]:
        for namespace, name, *dimensions in widget["properties"]["metrics"]:
            assert (namespace, dimensions[:3]) == ("Sluice", ["stage", "${Stage}", "service"])
            watched.append((name, dimensions[3]))
    services = {
        function["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        for function in template()["Resources"].values()
        if function["Type"] == "AWS::Serverless::Function"
    }
    for name, service in watched:
        assert METRICS[name].place is not Place.SCRAPED, name
        assert service in services
        source = (REPOSITORY / "functions" / service).rglob("*.py")
        http = name in ("errors", "throttled")  # which runtime.http counts
        assert http or any(f'"{name}"' in path.read_text() for path in (*source, *SHARED)), (name, service)


def test_alarms_tell_whoever_is_named() -> None:
    for one in alarms().values():
        told = {"Fn::If": ["Alarms", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
        assert one["AlarmActions"] == one["OKActions"] == told
        assert one["AlarmDescription"].endswith(".")
    assert alarms()["LogsUnaccountedAlarm"]["TreatMissingData"] == "breaching"
    assert alarms()["WatchLagsAlarm"]["TreatMissingData"] == "breaching"
