"""Events as AWS sends them, from files in ``events/``."""

import base64
import copy
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parent / "events"


def load_event(name: str) -> Any:
    """A fresh copy of ``events/<name>.json``."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def rest_event(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    is_compressed: bool = False,
) -> dict[str, Any]:
    """The event of a REST API with proxy integration and binary media types: the body is base64, always.

    ``is_compressed`` sends the body as gzip, with the header that says so.
    """
    event: dict[str, Any] = load_event("rest_api")
    event |= {"httpMethod": method, "path": path, "resource": path}
    event["requestContext"] |= {"httpMethod": method, "resourcePath": path, "path": f"/prod{path}"}
    headers = (headers or {}) | ({"Content-Encoding": "gzip"} if is_compressed else {})
    event["headers"] |= headers
    event["multiValueHeaders"] |= {name: [value] for name, value in headers.items()}
    if query:
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
    if body is not None:
        body = gzip.compress(body, mtime=0) if is_compressed else body
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


def schedule_event(verb: str | None = None) -> Any:
    """What a schedule sends: to a function of template.yaml the Input written there, else EventBridge's own event."""
    return load_event("schedule") if verb is None else load_event("schedule_inputs")[verb]


def failure_record(request: Any, error: dict[str, Any], *, function_name: str, attempts: int) -> dict[str, Any]:
    """What Lambda sends to an OnFailure destination after the last attempt of an asynchronous invocation."""
    record: dict[str, Any] = load_event("failure_destination")
    record["requestContext"]["functionArn"] = f"arn:aws:lambda:us-east-1:123456789012:function:{function_name}:$LATEST"
    record["requestContext"]["approximateInvokeCount"] = attempts
    return record | {"requestPayload": request, "responsePayload": error}


def sqs_event(*bodies: Any) -> dict[str, Any]:
    """The event of a queue whose messages hold these JSON documents, e.g. failure records."""
    (pattern,) = load_event("sqs")["Records"]
    records = []
    for number, document in enumerate(bodies):
        body = json.dumps(document)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        message_id = f"{number:08x}{pattern['messageId'][8:]}"
        records.append(copy.deepcopy(pattern) | {"messageId": message_id, "body": body, "md5OfBody": digest})
    return {"Records": records}
