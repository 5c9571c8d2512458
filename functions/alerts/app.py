"""/api/rules and /api/incidents: what is to be watched for, and what came of it; /api/channels, /api/silences,
/api/maintenance-windows and /api/deliveries: who is told, who is not, and whether it arrived; what people say of
anomalies, and backtests of them.

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
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_people import PostgresPeople
from sluice.anomalies.postgres_sessions import PostgresSessionLogs
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresKeyStore, limits_by_name
from sluice.applications.redis import RedisKeyCache
from sluice.metrics.redis import metric_store
from sluice.notifications.addresses import AddressPolicy
from sluice.notifications.aws import LambdaSender
from sluice.notifications.postgres_channels import PostgresChannels
from sluice.notifications.postgres_deliveries import PostgresDeliveries
from sluice.notifications.postgres_mutings import PostgresMutings
from sluice.runtime.http import HttpApi, json_body, json_response
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import AlertsSettings

if TYPE_CHECKING:  # several functions have such files, which only the type checker sees together
    from functions.alerts.anomalies import Anomalies
    from functions.alerts.backtest import Backtest
    from functions.alerts.channels import Channels
    from functions.alerts.deliveries import Deliveries
    from functions.alerts.incidents import Incidents
    from functions.alerts.mutings import Mutings
    from functions.alerts.rules import Rules
    from functions.alerts.sight import Sight
else:
    from anomalies import Anomalies
    from backtest import Backtest
    from channels import Channels
    from deliveries import Deliveries
    from incidents import Incidents
    from mutings import Mutings
    from rules import Rules
    from sight import Sight

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: AlertsSettings.from_env().redis_url)
api = HttpApi("alerts", logger, metrics, metric_counts)

DATABASE_SECONDS = 16
BACKTEST_SECONDS = 10  # for one piece of the history
READERS = (Scope.READ, Scope.ALERTS, Scope.ADMIN)
NOT_STORED = {"Cache-Control": "no-store"}  # by any cache on the way: the answer holds a secret
WRITERS = (Scope.ALERTS, Scope.ADMIN)


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the routes are for."""

    lookup: KeyLookup
    rules: Rules
    backtest: Backtest
    incidents: Incidents
    channels: Channels
    mutings: Mutings
    deliveries: Deliveries
    anomalies: Anomalies


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


@api.route("POST", "/api/rules/test")
def test_rule(request: Request) -> Response:
    """When a rule would have fired."""
    alerts, key = _reading(request)
    return json_response(alerts.backtest.test(key, json_body(request)))


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


@api.route("GET", "/api/channels")
def list_channels(request: Request) -> Response:
    """A page of channels."""
    alerts, key = _reading(request)
    return json_response(alerts.channels.list(key, _parameters(request)))


@api.route("POST", "/api/channels")
def create_channel(request: Request) -> Response:
    """A new channel."""
    alerts, key = _writing(request)
    return json_response(alerts.channels.create(key, json_body(request)), 201, NOT_STORED)


@api.route("GET", "/api/channels/{id}")
def show_channel(request: Request) -> Response:
    """One channel."""
    alerts, key = _reading(request)
    return json_response(alerts.channels.show(key, _id(request)))


@api.route("PATCH", "/api/channels/{id}")
def change_channel(request: Request) -> Response:
    """A channel, changed, switched on or off."""
    alerts, key = _writing(request)
    return json_response(alerts.channels.change(key, _id(request), json_body(request)))


@api.route("DELETE", "/api/channels/{id}")
def delete_channel(request: Request) -> Response:
    """Forgets a channel."""
    alerts, key = _writing(request)
    return json_response(alerts.channels.delete(key, _id(request)))


@api.route("POST", "/api/channels/{id}/test")
def test_channel(request: Request) -> Response:
    """Whether something arrives."""
    alerts, key = _writing(request)
    return json_response(alerts.channels.test(key, _id(request)))


@api.route("POST", "/api/channels/{id}/rotate")
def rotate_channel_secret(request: Request) -> Response:
    """A new signing secret."""
    alerts, key = _writing(request)
    return json_response(alerts.channels.rotate(key, _id(request)), 200, NOT_STORED)


@api.route("GET", "/api/silences")
def list_silences(request: Request) -> Response:
    """A page of silences."""
    alerts, key = _reading(request)
    return json_response(alerts.mutings.list_silences(key, _parameters(request)))


@api.route("POST", "/api/silences")
def create_silence(request: Request) -> Response:
    """A new silence."""
    alerts, key = _writing(request)
    return json_response(alerts.mutings.create_silence(key, json_body(request)), 201)


@api.route("DELETE", "/api/silences/{id}")
def expire_silence(request: Request) -> Response:
    """Ends a silence."""
    alerts, key = _writing(request)
    return json_response(alerts.mutings.expire_silence(key, _id(request)))


@api.route("GET", "/api/maintenance-windows")
def list_maintenance_windows(request: Request) -> Response:
    """Maintenance windows."""
    alerts, key = _reading(request)
    return json_response(alerts.mutings.list_windows(key, _parameters(request)))


@api.route("POST", "/api/maintenance-windows")
def create_maintenance_window(request: Request) -> Response:
    """A new maintenance window."""
    alerts, key = _writing(request)
    return json_response(alerts.mutings.create_window(key, json_body(request)), 201)


@api.route("DELETE", "/api/maintenance-windows/{id}")
def delete_maintenance_window(request: Request) -> Response:
    """Forgets a maintenance window."""
    alerts, key = _writing(request)
    return json_response(alerts.mutings.delete_window(key, _id(request)))


@api.route("GET", "/api/deliveries")
def list_deliveries(request: Request) -> Response:
    """What became of events on their channels."""
    alerts, key = _reading(request)
    return json_response(alerts.deliveries.list(key, _parameters(request)))


@api.route("PUT", "/api/anomalies/{id}/feedback")
def judge_anomaly(request: Request) -> Response:
    """What somebody says of an anomaly."""
    alerts, key = _writing(request)
    return json_response(alerts.anomalies.judge(key, _id(request), json_body(request)))


@api.route("POST", "/api/anomalies/backtest")
def backtest_anomalies(request: Request) -> Response:
    """What would have been found."""
    alerts, key = _reading(request)
    return json_response(alerts.anomalies.backtest(key, json_body(request)))


@cache
def _dependencies() -> Alerts:
    settings = AlertsSettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    keys = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    lookup = KeyLookup(PostgresKeyStore(database), keys, settings.key_pepper, utc_now)
    sight = Sight(partial(limits_by_name, database))
    open_rules = partial(PostgresRules, database)
    open_source = partial(PostgresLogSource, database, has_census=settings.templates, seconds=BACKTEST_SECONDS)
    backtest = Backtest(sight, open_rules, open_source, utc_now)
    rules = Rules(sight, open_rules, utc_now)
    incidents = Incidents(sight, partial(PostgresIncidents, database), utc_now)
    sender = LambdaSender(settings.deliver_function, timeout_seconds=settings.deliver_timeout_seconds)
    policy = AddressPolicy(settings.webhook_ports, settings.webhook_allow_list)
    open_channels = partial(PostgresChannels, database)
    channels = Channels(sight, open_channels, policy, sender, settings.key_pepper, utc_now)
    mutings = Mutings(sight, partial(PostgresMutings, database), utc_now)
    deliveries = Deliveries(sight, partial(PostgresDeliveries, database))
    census, session_logs = PostgresCensus(database), PostgresSessionLogs(database)
    anomalies = Anomalies(sight, census, session_logs, partial(PostgresPeople, database), utc_now)
    return Alerts(lookup, rules, backtest, incidents, channels, mutings, deliveries, anomalies)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy)."""
    count(metrics, "requests", 1)
    return api(event, context)
