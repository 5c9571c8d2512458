"""What a client posts, as far as every door of ingest cares."""

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


class PlainPost(NamedTuple):
    """A post of JSON with nothing but a key."""

    body: bytes
    api_key: str

    @classmethod
    def from_event(cls, event: dict[str, Any], max_bytes: int) -> Self | None:
        """None for any other request, and for a body of more than ``max_bytes``, or that is no JSON object."""
        headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
        api_key = (headers.get("x-api-key") or "").strip()
        if not api_key or headers.get("content-type") != "application/json" or not _SPECIAL.isdisjoint(headers):
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
