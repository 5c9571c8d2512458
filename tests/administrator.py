"""Who makes applications and keys for tests of the dashboard, and who sends logs with them: all over HTTP."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import requests

VISIBLE_SECONDS = 80
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Sender:
    """An application, its key, and the API it sends to."""

    url: str
    application: str
    key: str

    def submit(self, logs: list[dict[str, Any]]) -> str:
        """Returns the batch's id; not all of it need be stored yet."""
        answer = requests.post(
            f"{self.url}/api/ingest", json=logs, headers={"X-API-Key": self.key}, timeout=TIMEOUT_SECONDS
        )
        return str(answer.json()["batch_id"])

    def wait_for(self, batch_id: str, count: int) -> None:
        """Returns when so many logs of a batch can be read."""
        deadline = time.monotonic() + VISIBLE_SECONDS
        while self._stored(batch_id) < count:
            assert time.monotonic() < deadline, "the logs did not become visible"
            time.sleep(POLL_SECONDS)

    def send(self, *logs: dict[str, Any]) -> str:
        """Returns the batch's id when all of it is stored."""
        batch_id = self.submit(list(logs))
        self.wait_for(batch_id, len(logs))
        return batch_id

    def _stored(self, batch_id: str) -> int:
        answer = requests.get(
            f"{self.url}/api/stats",
            {"batch_id": batch_id},
            headers={"X-API-Key": self.key},
            timeout=TIMEOUT_SECONDS,
        )
        return int(answer.json()["total"])


@dataclass(frozen=True)
class Administrator:
    """`key` has the scopes read and admin."""

    url: str
    key: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the API answers, behind the page's back."""
        headers = {"X-API-Key": self.key}
        answer = requests.request(method, f"{self.url}/api/{path}", json=body, headers=headers, timeout=TIMEOUT_SECONDS)
        assert answer.ok, answer.text
        return answer.json()

    def new_application(self) -> str:
        """Its name."""
        name = f"web-{secrets.token_hex(4)}"
        self.call("POST", "applications", {"name": name})
        return name

    def new_key(self, application: str, *scopes: str, description: str | None = None) -> dict[str, Any]:
        """As the API gives it; `key` is its text."""
        body = {"scopes": list(scopes), "description": description}
        created: dict[str, Any] = self.call("POST", f"applications/{application}/keys", body)
        return created

    def new_sender(self) -> Sender:
        """Of a new application."""
        application = self.new_application()
        return Sender(self.url, application, self.new_key(application, "ingest", "read")["key"])
