"""The pytest plugin that others load."""

import base64
import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from aws import (
    FunctionRunner,
    InvokeFailed,
    InvokeRecorder,
    LambdaContext,
    load_event,
    rest_event,
    schedule_event,
    sqs_event,
)
from invocations import SYNCHRONOUS_LIMIT_BYTES
from sluice.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from memory_stage import MemoryStage

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def test_s3_keeps_objects_in_memory(s3_client: "S3Client") -> None:
    s3_client.create_bucket(Bucket="archive")
    s3_client.put_object(Bucket="archive", Key="day/1", Body=b"rows")
    assert s3_client.get_object(Bucket="archive", Key="day/1")["Body"].read() == b"rows"


def test_every_client_speaks_to_memory(
    sqs_client: Any,
    secrets_client: "SecretsManagerClient",
    events_client: Any,
) -> None:
    url = sqs_client.create_queue(QueueName="failed")["QueueUrl"]
    sqs_client.send_message(QueueUrl=url, MessageBody="{}")
    assert sqs_client.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "{}"
    secrets_client.create_secret(Name="connections", SecretString="{}")
    assert secrets_client.get_secret_value(SecretId="connections")["SecretString"] == "{}"
    assert events_client.list_rules()["Rules"] == []


def test_the_recorder_answers_and_remembers(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["double"] = lambda event: {"twice": event["n"] * 2}
    answer = lambda_client.invoke(FunctionName="double", Payload=json.dumps({"n": 21}).encode())
    assert json.loads(answer["Payload"].read()) == {"twice": 42}
    assert "FunctionError" not in answer
    assert invoke_recorder.payloads("double") == [{"n": 21}]
    assert invoke_recorder.payloads("other") == []


def test_clients_that_the_code_under_test_makes_are_recorded(invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["f"] = lambda event: event
    boto3.client("lambda").invoke(FunctionName="f", Payload=b"1")
    assert invoke_recorder.payloads("f") == [1]


def test_an_exception_is_a_function_error(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["fails"] = lambda event: event["missing"]
    answer = lambda_client.invoke(FunctionName="fails", Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "KeyError"


def test_an_answer_that_is_no_json_is_a_function_error(function_runner: FunctionRunner) -> None:
    function_runner.recorder.functions["set"] = lambda event: {1, 2}
    with pytest.raises(InvokeFailed, match="TypeError"):
        function_runner.invoke("set")


def test_payloads_are_limited_as_on_lambda(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["echo"] = lambda event: event
    longest = b'"' + b"x" * (SYNCHRONOUS_LIMIT_BYTES - 2) + b'"'
    assert "FunctionError" not in lambda_client.invoke(FunctionName="echo", Payload=longest)
    with pytest.raises(ClientError, match=r"\(RequestEntityTooLargeException\).*6291456 bytes"):
        lambda_client.invoke(FunctionName="echo", Payload=longest + b" ")
    with pytest.raises(ClientError, match="1048576 bytes"):
        lambda_client.invoke(FunctionName="echo", InvocationType="Event", Payload=longest)
    assert len(invoke_recorder.calls) == 1


def test_an_answer_that_is_too_long_is_a_function_error(function_runner: FunctionRunner) -> None:
    function_runner.recorder.functions["talks"] = lambda event: "x" * SYNCHRONOUS_LIMIT_BYTES
    with pytest.raises(InvokeFailed, match="ResponseSizeTooLarge"):
        function_runner.invoke("talks")


def test_an_asynchronous_invocation_is_retried_and_then_reported(
    lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder
) -> None:
    attempts = []

    def fail(event: Any) -> None:
        attempts.append(event)
        raise ValueError("no")

    invoke_recorder.functions["later"] = fail
    answer = lambda_client.invoke(FunctionName="later", InvocationType="Event", Payload=b'{"n": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert attempts == [{"n": 1}] * 3
    assert invoke_recorder.payloads("later") == [{"n": 1}]
    (record,) = invoke_recorder.failures
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"] == {"errorMessage": "no", "errorType": "ValueError"}
    assert record.keys() == load_event("failure_destination").keys()


def test_events_and_context(lambda_context: LambdaContext) -> None:
    event = rest_event("GET", "/api/logs", query={"limit": "5"})
    assert event["requestContext"]["resourcePath"] == "/api/logs"
    assert event["queryStringParameters"] == {"limit": "5"}
    assert lambda_context.get_remaining_time_in_millis() > 0


def test_a_compressed_body_comes_as_base64_of_gzip() -> None:
    event = rest_event("POST", "/api/ingest", b"[]", is_compressed=True)
    assert event["headers"]["Content-Encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(event["body"])) == b"[]"


def test_schedules_send_what_the_template_says() -> None:
    template = yaml_parse(TEMPLATE.read_text())
    resources, by_mode = template["Resources"], template["Mappings"]["Schedule"]
    scheduled = {
        resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: json.loads(
            by_mode["wake"]["Event"] if verb == "DrainFunction" else event["Properties"]["Input"]
        )
        for verb, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "Schedule"
    }
    assert scheduled == load_event("schedule_inputs")
    assert schedule_event("drain") == scheduled["drain"]
    assert schedule_event()["detail-type"] == "Scheduled Event"


def test_a_failure_record_arrives_from_a_queue() -> None:
    (message,) = sqs_event(load_event("failure_destination"))["Records"]
    assert json.loads(message["body"])["requestContext"]["condition"] == "RetriesExhausted"


def test_handlers_reach_each_other(stage: "MemoryStage") -> None:
    stage.limit_chunks(2)
    accepted = [stage.send({"message": f"order {number}"}) for number in range(3)]
    report = stage.drain()
    assert (report["chunks"], report["stored"], report["backlog_entries"]) == (2, 3, 0)
    assert [len(chunk["entry_ids"]) for chunk in stage.chunks()] == [2, 1]
    assert [batch.hex for batch, _ in stage.store.rows] == [answer["batch_id"] for answer in accepted]


def test_an_error_of_process_chunk_reaches_drain_as_a_function_error(stage: "MemoryStage") -> None:
    stage.send({"message": "kept"})
    stage.store.is_down = True
    report = stage.drain()
    assert (report["chunks_failed"], report["stored"], report["backlog_entries"]) == (1, 0, 1)
    stage.store.is_down = False
    assert stage.drain()["stored"] == 1


def test_a_function_makes_its_own_dependencies_from_its_environment(function_runner: FunctionRunner) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        function_runner.add("process_chunk", environment={"REDIS_URL": "redis://r", "SHARD_COUNT": "1"})
