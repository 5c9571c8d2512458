"""What the API does with the client's requests: each key is stored once, and a retry must be the same bytes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from unit.cli.playback import Answer, Request, problem

LOST_ANSWER = Answer(hang_up=True)


@dataclass
class Receiver:
    """Plays the answers in `script` first, in order; LOST_ANSWER among them means taken, but without a word."""

    script: list[Answer] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    logs: list[dict[str, Any]] = field(default_factory=list)
    max_records: int = 10_000
    tries: int = 0

    def __call__(self, request: Request) -> Answer:
        """Answers a request."""
        assert (request.method, request.path) == ("POST", "/v1/api/ingest")
        self.tries += 1
        scripted = self.script.pop(0) if self.script else None
        if scripted is not None and scripted is not LOST_ANSWER:
            return scripted
        if request.headers["X-API-Key"] != "slc_key":
            return problem(401, "invalid_key", "The key is not known.")
        records = request.json()
        if len(records) > self.max_records:
            return problem(413, "batch_too_large", "send smaller batches")
        rejected = [
            {"index": index, "pointer": "#/message", "code": "missing_message", "detail": "no"}
            for index, record in enumerate(records)
            if record["message"] == "bad"
        ]
        key = request.headers["Idempotency-Key"]
        if key not in self.bodies:
            self.bodies[key] = request.body
            self.logs += [record for record in records if record["message"] != "bad"]
        assert self.bodies[key] == request.body
        if scripted is LOST_ANSWER:
            return scripted
        return Answer(202, {"accepted": len(records) - len(rejected), "batch_id": "b" * 32, "rejected": rejected})

    @property
    def messages(self) -> list[str]:
        """Of all that was stored, in order."""
        return [log["message"] for log in self.logs]

    def counts(self) -> Counter[str]:
        """How often each message was stored."""
        return Counter(self.messages)
