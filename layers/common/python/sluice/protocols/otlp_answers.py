"""OTLP/HTTP's answers: ExportLogsServiceResponse and google.rpc.Status, in the encoding of the request.

Both are two fields; they are written by hand so that a refusal needs no protobuf library. JSON is text: API Gateway may
hand bytes to a client that sends no Accept as base64.
"""

import json
from typing import Any

from sluice.errors import Rejection
from sluice.protocols.otlp import JSON, PROTOBUF

MAX_NAMED = 5  # rejected records in an error message

# google.rpc.Code by HTTP status; what is not here is INTERNAL.
_CODES = {400: 3, 401: 16, 403: 7, 409: 10, 413: 3, 415: 3, 422: 3, 429: 8, 503: 14}
_INTERNAL = 13


def answer_type(media_type: str) -> str:
    """The Content-Type of the answer to a request of ``media_type``."""
    return PROTOBUF if media_type == PROTOBUF else JSON


def export_answer(media_type: str, rejected_count: int, message: str) -> bytes | str:
    """An ExportLogsServiceResponse: empty if everything was taken, else with its partial success."""
    if media_type == PROTOBUF:
        return _field(1, _varint_field(1, rejected_count) + _field(2, message.encode())) if rejected_count else b""
    partial = {"partialSuccess": {"rejectedLogRecords": str(rejected_count), "errorMessage": message}}
    return _json(partial if rejected_count else {})


def status_answer(media_type: str, http_status: int, message: str) -> bytes | str:
    """A google.rpc.Status."""
    code = _CODES.get(http_status, _INTERNAL)
    if media_type == PROTOBUF:
        return _varint_field(1, code) + _field(2, message.encode())
    return _json({"code": code, "message": message})


def partial_message(rejections: tuple[Rejection, ...]) -> str:
    """What was rejected and why, the first of it."""
    return "; ".join(f"record {item.index}: {item.code}: {item.detail}" for item in rejections[:MAX_NAMED])


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
