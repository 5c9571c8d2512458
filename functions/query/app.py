"""GET /api/logs, /api/ledger, /healthz and /openapi.json: reads back; on a schedule, audits the ledger; by Invoke,
shows the queue.

Promise: a key sees the records of its own application only (an admin key: all), enforced by row security in the
database. On failure the client gets problem+json; reading again is always safe.
"""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chalice.app import Request, Response

from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.errors import RejectedInput, Unavailable
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.http import HttpApi, json_response
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import QuerySettings
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.streams.inspection import ShardState
from sluice.streams.ports import QueueInspection, QueueLedger
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("query", logger, metrics)

QUEUE_READ_ENTRIES = 1_000  # of all shards together; Redis copies each one, its records too
QUEUE_MAX_PENDING = 1_000
DATABASE_SECONDS = 16  # just above the statements' own time-out, for a server that hangs


@dataclass(frozen=True, slots=True)
class Query:
    """The use cases."""

    lookup: KeyLookup
    database: Database
    queue: QueueLedger
    inspection: QueueInspection
    shard_count: int

    def search(self, key: KeyRecord, parameters: dict[str, str]) -> dict[str, Any]:
        """A page of records."""
        application_id = self._application_id(key, parameters.get("application"))
        query = parse_query(parameters, application_id)
        page = PostgresLogReader(self.database, _visible(key)).search(query)
        return {"logs": page.logs, "next_cursor": page.next_cursor.to_text() if page.next_cursor else None}

    def ledger(self, key: KeyRecord) -> dict[str, Any]:
        """The equation per application and in total."""
        visible = _visible(key)
        ledger = PostgresLedger(self.database, visible)
        names = ledger.application_names()
        totals = audit(self.queue, ledger, visible)
        applications = [
            {"application": name} | asdict(totals.get(application_id, Totals()))
            for application_id, name in sorted(names.items(), key=lambda item: item[1])
        ]
        return {"applications": applications, "total": asdict(sum(totals.values(), Totals()))}

    def audit(self) -> dict[str, int]:
        """The equation over all applications."""
        return asdict(sum(audit(self.queue, PostgresLedger(self.database, None)).values(), Totals()))

    def inspect_queue(self, event: dict[str, Any]) -> dict[str, Any]:
        """The queue, shard by shard; works without the database, too, but then names no application.

        The event may have ``max_entries`` (to read the headers of, over all shards) and ``max_pending`` (to list per
        shard). Raises RejectedInput ``invalid_event``.
        """
        max_entries = _bound(event, "max_entries", QUEUE_READ_ENTRIES, QUEUE_READ_ENTRIES) // self.shard_count
        max_pending = _bound(event, "max_pending", 20, QUEUE_MAX_PENDING)
        states = [
            self.inspection.inspect(shard, max_entries=max_entries, max_pending=max_pending)
            for shard in range(self.shard_count)
        ]
        names: dict[int, str] = {}
        try:
            names = PostgresLedger(self.database, None).application_names() if max_entries else {}
        except Unavailable as error:  # the queue is looked at above all when the database is away
            logger.warning("applications have no names", extra={"code": error.code, "detail": error.detail})
        return {"shards": [_named(state, names) for state in states]}

    def check_health(self) -> None:
        """Raises Unavailable unless queue and database answer."""
        self.queue.accepted()
        with self.database.transaction() as cursor:
            cursor.execute("SELECT 1")

    def _application_id(self, key: KeyRecord, name: str | None) -> int | None:
        """The id to filter by. Raises RejectedInput for a name this key does not see: it tells no more than that."""
        if name is None:
            return None if _visible(key) is None else key.application_id
        for application_id, known in PostgresLedger(self.database, _visible(key)).application_names().items():
            if known == name:
                return application_id
        raise RejectedInput("unknown_application", f"this API key sees no application {name!r}")


def _visible(key: KeyRecord) -> set[int] | None:
    return None if Scope.ADMIN in key.scopes else {key.application_id}


def _bound(event: dict[str, Any], name: str, default: int, highest: int) -> int:
    number = event.get(name, default)
    if type(number) is not int or not 0 <= number <= highest:
        raise RejectedInput("invalid_event", f"{name} must be a whole number from 0 to {highest}")
    return number


def _named(state: ShardState, names: dict[int, str]) -> dict[str, Any]:
    """The state as JSON; applications get their name, None where it is not known."""
    shown = asdict(state)
    for part in (*shown["applications"], *(entry["header"] for entry in shown["pending"] if entry["header"])):
        part["application"] = names.get(part["application_id"])
    return shown


def _admitted(request: Request, scope: Scope = Scope.READ) -> tuple[Query, KeyRecord]:
    query = _dependencies()
    return query, query.lookup.admit(request.method, request.headers, scope)


@api.route("GET", "/api/logs")
def logs(request: Request) -> Response:
    """Stored records, newest first."""
    query, key = _admitted(request)
    return json_response(query.search(key, dict(request.query_params or {})))


@api.route("GET", "/api/ledger")
def ledger(request: Request) -> Response:
    """The conservation ledger."""
    query, key = _admitted(request)
    return json_response(query.ledger(key))


@api.route("GET", "/healthz")
def healthz(request: Request) -> Response:
    """Whether queue and database answer; open to everybody, so it says no more."""
    _dependencies().check_health()
    return json_response({"status": "ok"})


@api.route("GET", "/openapi.json")
def openapi(request: Request) -> Response:
    """The API's description."""
    return Response(_document(), {"Content-Type": "application/json"})


@cache
def _document() -> str:
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@cache
def _dependencies() -> Query:
    settings = QuerySettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    cache = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    lookup = KeyLookup(PostgresKeyStore(database), cache, settings.key_pepper, utc_now)
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    return Query(lookup, database, queue, queue, settings.shard_count)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy), of the schedule: {"action": "audit"} leaves the ledger's totals as
    metrics for a monitor to watch; and of operators: {"action": "queue"}, see Query.inspect_queue."""
    if event.get("action") == "queue":
        count(metrics, "inspections", 1)
        return _dependencies().inspect_queue(event)
    if event.get("action") == "audit":
        totals = _dependencies().audit()
        for name, value in totals.items():
            metrics.add_metric(name=f"ledger_{name}", unit="Count", value=int(value))
        if totals["unaccounted"] or totals["queue_rolled_back"]:
            logger.error("the ledger does not balance", extra=totals)
        return totals
    count(metrics, "requests", 1)
    return api(event, context)
