"""A platform of one page, in memory: Invoke, CloudFormation and the HTTP API as the contract has them."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from unit.cli.playback import Answer, Request, problem

KEY = "slc_0123456789abcdef_secret_check"
KEY_ID = "0123456789abcdef"
CREATED = "2026-11-24T12:00:00.123456Z"
USED = "2026-11-25T08:30:59Z"
LIMITS = ("requests_per_second", "bytes_per_second", "bytes_per_day")
TIME = "2026-11-24T12:00:00.123000Z"

_STACKS = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>
<Stacks><member><StackName>sluice-local</StackName><CreationTime>{created}</CreationTime>
<StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>ApiUrl</OutputKey>
<OutputValue>{url}/v1</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""
_NO_STACK = """<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>
<Message>Stack with id sluice-{stage} does not exist</Message></Error></ErrorResponse>"""


def function_error(kind: str, message: str) -> Answer:
    """The Invoke answer of a function that raised."""
    content = {"errorType": kind, "errorMessage": message}
    return Answer(200, content, {"X-Amz-Function-Error": "Unhandled"})


def queue_shard(**changes: Any) -> dict[str, Any]:
    """An empty shard as functions/query shows it, after a first drain."""
    group = {"pending_count": 0, "lag_count": 0, "consumers": []}
    counts = {"entry_count": 0, "read_count": 0, "record_count": 0, "size_bytes": 0, "oldest_seconds": None}
    return {"shard": 0, **counts, "group": group, "pending": [], "applications": [], **changes}


def dead_letter(number: int, **changes: Any) -> dict[str, Any]:
    """An open dead letter as functions/admin lists it."""
    batch = {"batch_id": "b" * 32, "position": number, "received_at": CREATED, "dead_lettered_at": CREATED}
    why = {"reason": "sqlstate_22p05", "detail": "unsupported Unicode escape", "attempts": 1, "status": "open"}
    return {"id": number, "application": "checkout", **why, **batch, **changes}


def dead_letters(letters: list[dict[str, Any]], event: dict[str, Any]) -> Answer:
    """The answer of functions/admin to an action on dead letters. One without a position cannot be redriven."""
    if event["action"] == "show_dead_letter":
        found = [letter for letter in letters if letter["id"] == event["id"]]
        if not found:
            return function_error("RejectedInput", f"unknown_dead_letter: there is no dead letter {event['id']}")
        return Answer(200, {"dead_letter": {**found[0], "queued": "7\ttext"}})
    asked: dict[str, Any] = {name: event[name] for name in ("application", "reason") if name in event}
    asked["status"] = event.get("status", "open")
    matching = [
        letter
        for letter in letters
        if letter["id"] in event.get("ids", [letter["id"]]) and asked.items() <= letter.items()
    ]
    if event["action"] == "list_dead_letters":
        below = [letter for letter in reversed(matching) if letter["id"] < event.get("before", 10**9)]
        page = below[: event["limit"]]
        last = page[-1]["id"] if len(page) == event["limit"] else None
        return Answer(200, {"dead_letters": page, "next_before": last})
    if event["action"] == "drop_dead_letters":
        for letter in matching:
            letter["status"] = "dropped"
        return Answer(200, {"dropped": len(matching)})
    stored = [letter for letter in matching if letter["position"] is not None]
    for letter in stored:
        letter["status"] = "redriven"
    return Answer(200, {"redriven": len(stored), "failed": len(matching) - len(stored)})


@dataclass
class Platform:
    """Everything that was accepted is stored by the next drain, but for the ids in `losing`."""

    url: str
    applications: list[str] = field(default_factory=list)
    queued: list[dict[str, Any]] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    accepted: int = 0
    lose: Callable[[dict[str, Any]], bool] = lambda _: False

    def __call__(self, request: Request) -> Answer:
        """Answers a request."""
        if request.path.startswith("/2015-03-31/functions/") and request.method == "POST":
            answer = self.invoke(request.path.split("/")[3], json.loads(request.body))
            return Answer(202, b"") if request.headers.get("X-Amz-Invocation-Type") == "Event" else answer
        if request.path.rstrip("/") == "/2015-03-31/functions":
            names = ("sluice-local-admin", "sluice-local-drain", "sluice-prod-drain", "other")
            return Answer(200, {"Functions": [{"FunctionName": name} for name in names]})
        if request.path == "/":
            return self.cloudformation(request)
        if request.path == "/v1/healthz":
            return Answer(200, {"status": "ok"})
        if request.headers.get("X-API-Key") != KEY:
            return problem(401, "invalid_key", "The key is not known.")
        routes = {"/v1/api/ingest/": self.ingest, "/v1/api/logs": self.logs, "/v1/api/ledger": self.ledger}
        return routes[request.path](request)

    def cloudformation(self, request: Request) -> Answer:
        if b"sluice-local" in request.body:
            return Answer(200, _STACKS.format(created=CREATED, url=self.url).encode(), {"Content-Type": "text/xml"})
        return Answer(400, _NO_STACK.format(stage="prod").encode(), {"Content-Type": "text/xml"})

    def invoke(self, name: str, event: dict[str, Any]) -> Answer:
        if name == "sluice-local-drain":
            return Answer(200, self.drain())
        if name == "sluice-local-query" and event["action"] == "queue":
            return Answer(200, {"shards": [queue_shard(entry_count=len(self.queued))]})
        if name != "sluice-local-admin":
            return Answer(
                404, {"Message": f"Function not found: {name}"}, {"x-amzn-ErrorType": "ResourceNotFoundException"}
            )
        return self.admin(event)

    def admin(self, event: dict[str, Any]) -> Answer:
        name = event.get("name") or event.get("application")
        match event["action"]:
            case "list_dead_letters" | "show_dead_letter" | "redrive_dead_letters" | "drop_dead_letters":
                return dead_letters(self.dead, event)
            case "create_application" if name in self.applications:
                return function_error("RejectedInput", f"application_exists: {name} is there already")
            case "create_application":
                self.applications.append(str(name))
                return Answer(200, {"application": self._application(str(name))})
            case "list_applications":
                entries = [{**self._application(entry), "key_count": 1} for entry in self.applications]
                return Answer(200, {"applications": entries})
            case "show_application" if name in self.applications:
                return Answer(200, {"application": self._application(str(name))})
            case "change_application" if event["application"] in self.applications:
                limits = dict.fromkeys(LIMITS) | event.get("limits", {})
                named = {"name": event.get("name", event["application"]), "status": event.get("status", "active")}
                return Answer(200, {"application": {**self._application(""), **named, "limits": limits}})
            case "change_template":
                return Answer(
                    200, {"template": {"id": event["id"], "name": event.get("name"), "text": "out of memory"}}
                )
            case "create_key" if name in self.applications:
                given = {"scopes": event["scopes"], "expires_at": event["expires_at"], "application": name}
                return Answer(200, {"key": KEY, "key_id": KEY_ID, "description": event.get("description"), **given})
            case "list_keys" if name in self.applications:
                key = {"key_id": KEY_ID, "scopes": ["ingest"], "status": "expired", "expires_at": None}
                seen = {"created_at": CREATED, "last_used_at": USED, "description": "web-1", "rotated_to": None}
                return Answer(200, {"keys": [{**key, **seen}]})
            case "rotate_key" if event["key_id"] == KEY_ID:
                key = {"key_id": "f" * 16, "scopes": ["ingest"], "expires_at": None, "application": "checkout"}
                return Answer(200, {"key": KEY, **key})
            case "rotate_key":
                return function_error("RejectedInput", "unknown_key: there is no key with this id")
            case "revoke_key":
                return Answer(200, {"key_id": event["key_id"], "status": "revoked"})
        return function_error("RejectedInput", f"unknown_application: no application is called {name!r}")

    def _application(self, name: str) -> dict[str, Any]:
        given = {"application_id": 1, "name": name, "status": "active", "limits": dict.fromkeys(LIMITS)}
        return {**given, "retention_class": "standard", "created_at": CREATED}

    def ingest(self, request: Request) -> Answer:
        batch_id = uuid.uuid4().hex
        rejected = []
        for index, record in enumerate(request.json()):
            if isinstance(record.get("level"), list):
                entry = {"index": index, "pointer": "#/level", "code": "invalid_level", "detail": "expected text"}
                rejected.append(entry)
                continue
            log = {"timestamp": TIME, "level": "INFO", "metadata": {}, **record}
            self.queued.append({**log, "id": f"{batch_id}-{index}", "batch_id": batch_id, "application": "demo"})
        accepted = len(request.json()) - len(rejected)
        self.accepted += accepted
        return Answer(202, {"accepted": accepted, "batch_id": batch_id, "rejected": rejected})

    def drain(self) -> dict[str, int]:
        kept = [log for log in self.queued if not self.lose(log)]
        self.stored += kept
        self.queued.clear()
        counts = {"claimed_entries": 1, "reclaimed_entries": 0, "chunks": 1, "chunks_failed": 0, "stored": len(kept)}
        return {
            **counts,
            "acknowledged": len(kept),
            "duplicate": 0,
            "dead_lettered": 0,
            "backlog_entries": 0,
            "duration_ms": 5,
        }

    def logs(self, request: Request) -> Answer:
        query = request.query
        found = [log for log in self.stored if query.get("batch_id") in (None, log["batch_id"])]
        found = [log for log in found if "level" not in query or log["level"] in query["level"].split(",")]
        start, size = int(query.get("cursor", 0)), int(query["limit"])
        following = str(start + size) if start + size < len(found) else None
        return Answer(200, {"logs": found[start : start + size], "next_cursor": following})

    def ledger(self, request: Request) -> Answer:
        counts = {"accepted": self.accepted, "stored": len(self.stored), "duplicate": 0, "dead_lettered": 0}
        flight = len(self.queued)
        counts |= {"in_flight": flight, "unaccounted": self.accepted - len(self.stored) - flight}
        return Answer(200, {"applications": [{"application": "demo", **counts}], "total": counts})
