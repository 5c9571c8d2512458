"""The moto fixtures that others load."""

import json
from typing import TYPE_CHECKING

from aws import InvokeRecorder, LambdaContext, rest_event

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


def test_s3_keeps_objects_in_memory(s3_client: "S3Client") -> None:
    s3_client.create_bucket(Bucket="archive")
    s3_client.put_object(Bucket="archive", Key="day/1", Body=b"rows")
    assert s3_client.get_object(Bucket="archive", Key="day/1")["Body"].read() == b"rows"


def test_the_recorder_answers_and_remembers(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["double"] = lambda event: {"twice": event["n"] * 2}
    answer = lambda_client.invoke(FunctionName="double", Payload=json.dumps({"n": 21}).encode())
    assert json.loads(answer["Payload"].read()) == {"twice": 42}
    assert "FunctionError" not in answer
    assert invoke_recorder.payloads("double") == [{"n": 21}]
    assert invoke_recorder.payloads("other") == []


def test_an_exception_is_a_function_error(lambda_client: "LambdaClient", invoke_recorder: InvokeRecorder) -> None:
    invoke_recorder.functions["fails"] = lambda event: event["missing"]
    answer = lambda_client.invoke(FunctionName="fails", Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "KeyError"


def test_events_and_context(lambda_context: LambdaContext) -> None:
    event = rest_event("GET", "/api/logs", query={"limit": "5"})
    assert event["requestContext"]["resourcePath"] == "/api/logs"
    assert event["queryStringParameters"] == {"limit": "5"}
    assert lambda_context.get_remaining_time_in_millis() > 0
