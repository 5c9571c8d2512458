"""How requests end."""

from typing import Any

from openapi.shapes import COUNT, Json, response, schema, text

RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "required": True, "schema": COUNT}}
LIMITS = {
    "RateLimit-Policy": {"description": "The limits that apply, as structured fields.", "schema": text()},
    "RateLimit": {"description": "What is left of them.", "schema": text()},
}
_CHALLENGE = {"WWW-Authenticate": {"description": "Every scheme taken.", "required": True, "schema": text()}}
_ENDS: dict[str, tuple[str, str, Json]] = {
    "400": ("BadRequest", "Something in the request is wrong: do not send it again unchanged.", {}),
    "401": ("Unauthorized", "No key, or one that is unknown, revoked or expired.", _CHALLENGE),
    "403": ("Forbidden", "The key lacks the scope.", {}),
    "404": ("NotFound", "There is no such thing.", {}),
    "409": ("Conflict", "It exists already, or is in another state.", {}),
    "413": ("TooLarge", "Over a limit, which is named: send smaller batches.", {}),
    "415": ("UnsupportedMediaType", "The body's type or encoding is none that is taken.", {}),
    "422": ("Reused", "This Idempotency-Key was used with another body.", {}),
    "429": ("TooManyRequests", "Over a limit of the application, which is named.", RETRY_AFTER | LIMITS),
    "503": ("Unavailable", "A server behind Sluice is down or full: send the request again later.", RETRY_AFTER),
}
_PROBLEM = {"application/problem+json": {"schema": schema("Problem")}}
_RPC_STATUS = {
    "application/json": {"schema": schema("Status")},
    "application/x-protobuf": {"schema": text(format="binary")},
}


def responses() -> dict[str, Json]:
    """All named responses: problems, and under ``Otlp…`` the same as google.rpc.Status."""
    named: dict[str, Json] = {}
    for name, description, headers in _ENDS.values():
        named[name] = _response(description, _PROBLEM, headers)
        named[f"Otlp{name}"] = _response(description, _RPC_STATUS, headers)
    return named


def answers(status: int, description: str, body: Json, *others: int, headers: Json | None = None) -> Json:
    """The responses of an operation: JSON under ``status``, problems under the ``others``."""
    good = _response(description, {"application/json": {"schema": body}}, headers or {})
    return {str(status): good} | problems(*others)


def problems(*codes: int) -> Json:
    """The responses of an operation that are problems."""
    return {str(code): response(_ENDS[str(code)][0]) for code in sorted(codes)}


def otlp_answers(*others: int) -> Json:
    """The errors of an OTLP operation."""
    return {str(code): response(f"Otlp{_ENDS[str(code)][0]}") for code in sorted(others)}


def _response(description: str, content: dict[str, Any], headers: Json) -> Json:
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})
