"""/api/rules and /api/incidents: what is to be watched for, and what came of it.

Trigger: HTTP. A key with the scope alerts reads and changes what belongs to its application, one with read may look,
one with admin does both for all. Promise: a change is one transaction, with the events that tell of it; repeating one
changes nothing, or is refused with 409. On failure the client gets problem+json.
"""

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from chalice.app import Request, Response

from sluice.alerts.postgres_incidents import PostgresIncidents
from sluice.alerts.postgres_rules import PostgresRules
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.applications.redis import RedisKeyCache
from sluice.metrics.redis import metric_store
from sluice.runtime.http import HttpApi, json_body, json_response
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import AlertsSettings

if TYPE_CHECKING:  # several functions have such files, which only the type checker sees together
    from functions.alerts.incidents import Incidents
    from functions.alerts.rules import Rules
    from functions.alerts.sight import Sight
else:
    from incidents import Incidents
    from rules import Rules
    from sight import Sight

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: AlertsSettings.from_env().redis_url)
api = HttpApi("alerts", logger, metrics, metric_counts)

DATABASE_SECONDS = 16
READERS = (Scope.READ, Scope.ALERTS, Scope.ADMIN)
WRITERS = (Scope.ALERTS, Scope.ADMIN)


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the routes are for."""

    lookup: KeyLookup
    rules: Rules
    incidents: Incidents


def _reading(request: Request) -> tuple[Alerts, KeyRecord]:
    alerts = _dependencies()
    return alerts, alerts.lookup.admit(request.method, request.headers, *READERS)


def _writing(request: Request) -> tuple[Alerts, KeyRecord]:
    alerts = _dependencies()
    return alerts, alerts.lookup.admit(request.method, request.headers, *WRITERS)


def _parameters(request: Request) -> dict[str, str]:
    return dict(request.query_params or {})


def _id(request: Request) -> str:
    return str((request.uri_params or {})["id"])


@api.route("GET", "/api/rules")
def list_rules(request: Request) -> Response:
    """A page of rules."""
    alerts, key = _reading(request)
    return json_response(alerts.rules.list(key, _parameters(request)))


@api.route("POST", "/api/rules")
def create_rule(request: Request) -> Response:
    """A new rule."""
    alerts, key = _writing(request)
    return json_response(alerts.rules.create(key, json_body(request)), 201)


@api.route("GET", "/api/rules/{id}")
def show_rule(request: Request) -> Response:
    """One rule."""
    alerts, key = _reading(request)
    return json_response(alerts.rules.show(key, _id(request)))


@api.route("PATCH", "/api/rules/{id}")
def change_rule(request: Request) -> Response:
    """A rule, changed, switched on or off."""
    alerts, key = _writing(request)
    return json_response(alerts.rules.change(key, _id(request), json_body(request)))


@api.route("DELETE", "/api/rules/{id}")
def delete_rule(request: Request) -> Response:
    """Forgets a rule."""
    alerts, key = _writing(request)
    return json_response(alerts.rules.delete(key, _id(request)))


@api.route("GET", "/api/incidents")
def list_incidents(request: Request) -> Response:
    """A page of incidents."""
    alerts, key = _reading(request)
    return json_response(alerts.incidents.list(key, _parameters(request)))


@api.route("GET", "/api/incidents/{id}")
def show_incident(request: Request) -> Response:
    """One incident, with what was told of it."""
    alerts, key = _reading(request)
    return json_response(alerts.incidents.show(key, _id(request)))


@api.route("POST", "/api/incidents/{id}/acknowledge")
def acknowledge_incident(request: Request) -> Response:
    """Somebody is on it."""
    alerts, key = _writing(request)
    return json_response(alerts.incidents.acknowledge(key, _id(request), json_body(request)))


@cache
def _dependencies() -> Alerts:
    settings = AlertsSettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    keys = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    lookup = KeyLookup(PostgresKeyStore(database), keys, settings.key_pepper, utc_now)
    sight = Sight(partial(limits_by_name, database))
    rules = Rules(sight, partial(PostgresRules, database))
    return Alerts(lookup, rules, Incidents(sight, partial(PostgresIncidents, database), utc_now))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy)."""
    count(metrics, "requests", 1)
    return api(event, context)
