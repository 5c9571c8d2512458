"""GET /api/logs, /api/ledger and /healthz: reads back; and, on a schedule, audits the ledger.

Promise: a key sees the records of its own application only (an admin key: all), enforced by row security in the
database. On failure the client gets problem+json; reading again is always safe.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from chalice.app import Request, Response

from sluice.applications.credentials import read_credentials
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.errors import RejectedInput
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
from sluice.streams.ports import QueueLedger
from sluice.streams.redis import RedisQueue

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("query", logger, metrics)

DATABASE_SECONDS = 16  # just above the statements' own time-out, for a server that hangs


@dataclass(frozen=True, slots=True)
class Query:
    """The use cases."""

    lookup: KeyLookup
    database: Database
    queue: QueueLedger

    def search(self, api_key: str | None, parameters: dict[str, str]) -> dict[str, Any]:
        """A page of records."""
        key = self.lookup.authenticate(api_key, Scope.READ)
        application_id = self._application_id(key, parameters.get("application"))
        query = parse_query(parameters, application_id)
        page = PostgresLogReader(self.database, _visible(key)).search(query)
        return {"logs": page.logs, "next_cursor": page.next_cursor.to_text() if page.next_cursor else None}

    def ledger(self, api_key: str | None) -> dict[str, Any]:
        """The equation per application and in total."""
        visible = _visible(self.lookup.authenticate(api_key, Scope.READ))
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


@api.route("GET", "/api/logs")
def logs(request: Request) -> Response:
    """Stored records, newest first."""
    return json_response(_dependencies().search(read_credentials(request.headers), dict(request.query_params or {})))


@api.route("GET", "/api/ledger")
def ledger(request: Request) -> Response:
    """The conservation ledger."""
    return json_response(_dependencies().ledger(read_credentials(request.headers)))


@api.route("GET", "/healthz")
def healthz(request: Request) -> Response:
    """Whether queue and database answer; open to everybody, so it says no more."""
    _dependencies().check_health()
    return json_response({"status": "ok"})


@cache
def _dependencies() -> Query:
    settings = QuerySettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    cache = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    lookup = KeyLookup(PostgresKeyStore(database), cache, settings.key_pepper, utc_now)
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    return Query(lookup, database, queue)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy), and of the schedule: {"action": "audit"} leaves the ledger's totals as
    metrics for a monitor to watch."""
    if event.get("action") == "audit":
        totals = _dependencies().audit()
        for name, value in totals.items():
            metrics.add_metric(name=f"ledger_{name}", unit="Count", value=int(value))
        if totals["unaccounted"] or totals["queue_rolled_back"]:
            logger.error("the ledger does not balance", extra=totals)
        return totals
    count(metrics, "requests", 1)
    return api(event, context)
