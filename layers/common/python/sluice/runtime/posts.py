"""What a client posts, as far as every door of ingest cares."""

from functools import lru_cache
from typing import Any, NamedTuple, Self

from chalice.app import Request

from sluice.applications.credentials import read_credentials
from sluice.errors import RejectedInput
from sluice.runtime.http import base64_body, media_type
from sluice.streams.traceparent import read_traceparent

MAX_IDEMPOTENCY_KEY_CHARACTERS = 255


class Post(NamedTuple):
    """A request's body as it came, and the headers that say what it is and whose."""

    wire: bytes
    media_type: str
    content_encoding: str | None
    api_key: str | None
    idempotency_key: str | None
    traceparent: str | None = None

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """Raises RejectedInput ``invalid_idempotency_key``."""
        body = request.raw_body
        return cls(
            wire=body if isinstance(body, bytes) else body.encode(),
            media_type=media_type(request),
            content_encoding=request.headers.get("content-encoding"),
            api_key=read_credentials(request.headers),
            idempotency_key=_idempotency_key(request),
            traceparent=read_traceparent(request.headers.get("traceparent")),
        )


# Headers that make a request more than a body and a key.
_SPECIAL = frozenset(("content-encoding", "idempotency-key", "traceparent"))


class _Names(NamedTuple):
    """How a request writes the names of two of its headers."""

    api_key: str
    content_type: str


@lru_cache(256)  # clients send the same headers with each request
def _plain_names(headers: tuple[str, ...]) -> _Names | None:
    """None if these headers make a request more than a body and a key, or less."""
    written = {name.lower(): name for name in headers}
    if "x-api-key" not in written or "content-type" not in written or not _SPECIAL.isdisjoint(written):
        return None
    return _Names(written["x-api-key"], written["content-type"])


class PlainPost(NamedTuple):
    """A post of JSON with nothing but a key."""

    body: bytes
    api_key: str

    @classmethod
    def from_event(cls, event: dict[str, Any], max_bytes: int) -> Self | None:
        """None for any other request, and for a body of more than ``max_bytes``, or that is no JSON object."""
        headers = event["headers"] or {}
        names = _plain_names(tuple(headers))
        if names is None or headers[names.content_type] != "application/json":
            return None
        api_key = (headers[names.api_key] or "").strip()
        if not api_key:
            return None
        body = base64_body(event)
        if body is None or len(body) > max_bytes or not body.startswith(b"{"):
            return None
        return cls(body, api_key)


def _idempotency_key(request: Request) -> str | None:
    """The header's value; quotes of its structured-field form are optional."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    token = str(header).strip().removeprefix('"').removesuffix('"')
    if not token or len(token) > MAX_IDEMPOTENCY_KEY_CHARACTERS:
        detail = f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} characters"
        raise RejectedInput("invalid_idempotency_key", detail)
    return token
