"""One connection to POST /api/ingest that says what became of each request. http.client, for its low overhead."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sluice_cli.loading.tally import Reply
from sluice_cli.retry import RETRIED_STATUSES, RetryPolicy

_TIMEOUT_SECONDS = 30.0


class Connection:
    """A kept-alive connection, opened again when it breaks. `policy`: None to send each request once."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        gzipped: bool,
        policy: RetryPolicy | None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_SECONDS)
        )
        self._path = f"{parts.path.rstrip('/')}/api/ingest/"
        self._headers = {"X-API-Key": key, "Content-Type": "application/gzip" if gzipped else "application/json"}
        self._policy = policy
        self._wait = wait

    def post(self, body: bytes) -> Reply:
        """Sends one body; with a policy again and again, under one Idempotency-Key: no retry is stored twice."""
        if self._policy is None:
            return self._post(body, self._headers)[0]
        headers = {**self._headers, "Idempotency-Key": uuid.uuid4().hex}
        attempt = 0
        while True:
            attempt += 1
            reply, is_passing, retry_after = self._post(body, headers)
            pause = self._policy.pause_seconds(attempt, retry_after) if is_passing else None
            if pause is None:
                return Reply(reply.code, reply.accepted, reply.rejected, reply.is_known, attempt - 1)
            self._wait(pause)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[Reply, bool, str | None]:
        """The reply, whether another try may go better, and the answer's Retry-After."""
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Reply(f"no answer: {_kind(error)}", is_known=_is_unsent(error)), True, None
        return read_reply(answer.status, content), answer.status in RETRIED_STATUSES, answer.headers["Retry-After"]


def read_reply(status: int, content: bytes) -> Reply:
    """What an answer says; a 202 that cannot be read counts as unknown."""
    try:
        document: Any = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Reply(f"{status} without JSON", is_known=status not in (202, 502, 504))
    if status != 202:
        code = document.get("code") or document.get("message") or "without a code"
        return Reply(f"{status} {str(code)[:60]}", is_known=status not in (502, 504))
    rejected = Counter(str(entry.get("code")) for entry in document.get("rejected", []))
    if (unlisted := int(document.get("rejected_count", 0)) - rejected.total()) > 0:
        rejected["not listed"] = unlisted
    return Reply("", int(document.get("accepted", 0)), rejected)


def _kind(error: Exception) -> str:
    return "time-out" if isinstance(error, TimeoutError) else type(error).__name__


def _is_unsent(error: Exception) -> bool:
    return isinstance(error, ConnectionRefusedError)
