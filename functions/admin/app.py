"""Administration: schema, partitions, applications, keys, retention and dead letters.

Trigger: Invoke, by the operator's command line or a schedule (IAM is its authentication), and HTTP for applications,
keys, retention, dead letters and templates (a key with the scope admin, of whatever application: it administers all).
Promise: an action is one transaction (migrations: one each; redrive: one for 500 letters). Repeating one is safe: it
changes nothing, or is refused with 409; creating a key makes another one. On failure an Invoke raises, its message
beginning with the code; HTTP answers problem+json.
"""

from functools import cache
from typing import Any

from actions import Admin, Members
from chalice.app import Request, Response

from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.retention.postgres import PostgresRetention
from sluice.runtime.http import HttpApi, json_body, json_response, jsonable
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.settings import AdminSettings
from sluice.schema.postgres import SchemaOwner
from sluice.templates.postgres_edits import PostgresTemplateEdits

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("admin", logger, metrics)

NOT_STORED = {"Cache-Control": "no-store"}  # by any cache on the way: the answer holds a key


def _admitted(request: Request) -> tuple[Admin, KeyRecord]:
    admin, lookup = _dependencies()
    return admin, lookup.admit(request.method, request.headers, Scope.ADMIN)


def _authenticated(request: Request) -> Admin:
    return _admitted(request)[0]


def _body_and_path(request: Request, **names: str) -> Members:
    """The members of the body, and those that the path names."""
    path = request.uri_params or {}
    return json_body(request) | {name: path[placeholder] for name, placeholder in names.items()}


@api.route("GET", "/api/applications")
def list_applications(request: Request) -> Response:
    """All applications."""
    return json_response(_authenticated(request).list_applications({}))


@api.route("POST", "/api/applications")
def create_application(request: Request) -> Response:
    """A new application."""
    return json_response(_authenticated(request).create_application(json_body(request)), 201)


@api.route("GET", "/api/applications/{name}")
def show_application(request: Request) -> Response:
    """One application."""
    admin = _authenticated(request)
    return json_response(admin.show_application(_body_and_path(request, application="name")))


@api.route("PATCH", "/api/applications/{name}")
def change_application(request: Request) -> Response:
    """Another name or status, other limits."""
    admin = _authenticated(request)
    return json_response(admin.change_application(_body_and_path(request, application="name")))


@api.route("GET", "/api/applications/{name}/keys")
def list_keys(request: Request) -> Response:
    """An application's keys."""
    admin = _authenticated(request)
    return json_response(admin.list_keys(_body_and_path(request, application="name")))


@api.route("POST", "/api/applications/{name}/keys")
def create_key(request: Request) -> Response:
    """A new key."""
    admin = _authenticated(request)
    return json_response(admin.create_key(_body_and_path(request, application="name")), 201, NOT_STORED)


@api.route("DELETE", "/api/keys/{key_id}")
def revoke_key(request: Request) -> Response:
    """Ends a key, which stays listed."""
    admin = _authenticated(request)
    return json_response(admin.revoke_key(_body_and_path(request, key_id="key_id")))


@api.route("POST", "/api/keys/{key_id}/rotate")
def rotate_key(request: Request) -> Response:
    """A key's successor."""
    admin = _authenticated(request)
    return json_response(admin.rotate_key(_body_and_path(request, key_id="key_id")), 201, NOT_STORED)


@api.route("GET", "/api/dead-letters")
def list_dead_letters(request: Request) -> Response:
    """Dead letters, newest first."""
    admin = _authenticated(request)
    parameters: dict[str, Any] = dict(request.query_params or {})
    numbers = {name: _number(parameters[name]) for name in ("limit", "before") if name in parameters}
    return json_response(admin.list_dead_letters(parameters | numbers))


@api.route("GET", "/api/dead-letters/{id}")
def show_dead_letter(request: Request) -> Response:
    """One dead letter."""
    admin = _authenticated(request)
    return json_response(admin.show_dead_letter({"id": _number((request.uri_params or {})["id"])}))


@api.route("POST", "/api/dead-letters/redrive")
def redrive_dead_letters(request: Request) -> Response:
    """Repairs and stores."""
    return json_response(_authenticated(request).redrive_dead_letters(json_body(request)))


@api.route("POST", "/api/dead-letters/drop")
def drop_dead_letters(request: Request) -> Response:
    """Closes without storing."""
    return json_response(_authenticated(request).drop_dead_letters(json_body(request)))


@api.route("PATCH", "/api/templates/{id}")
def change_template(request: Request) -> Response:
    """Another name, ignored or not, merged into another or no longer."""
    admin, key = _admitted(request)
    members = json_body(request) | {"id": _number((request.uri_params or {})["id"])}
    return json_response(admin.change_template(members, key_id=key.key_id))


@api.route("GET", "/api/retention-classes")
def list_retention_classes(request: Request) -> Response:
    """All retention classes."""
    return json_response(_authenticated(request).list_retention_classes({}))


@api.route("POST", "/api/retention-classes")
def create_retention_class(request: Request) -> Response:
    """A new retention class."""
    return json_response(_authenticated(request).create_retention_class(json_body(request)), 201)


@api.route("PATCH", "/api/retention-classes/{name}")
def change_retention_class(request: Request) -> Response:
    """Other numbers of days."""
    admin = _authenticated(request)
    return json_response(admin.change_retention_class(_body_and_path(request, name="name")))


@api.route("GET", "/api/applications/{name}/retention")
def show_retention(request: Request) -> Response:
    """An application's classes."""
    admin = _authenticated(request)
    return json_response(admin.show_retention(_body_and_path(request, application="name")))


@api.route("PATCH", "/api/applications/{name}/retention")
def change_retention(request: Request) -> Response:
    """Other classes of an application's levels."""
    admin = _authenticated(request)
    return json_response(admin.change_retention(_body_and_path(request, application="name")))


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


@cache
def _dependencies() -> tuple[Admin, KeyLookup]:
    settings = AdminSettings.from_env()
    database = Database(settings.database_url)
    applications, dead_letters = (
        PostgresApplications(database),
        PostgresDeadLetters(database, templates=settings.templates),
    )
    lookup = KeyLookup(PostgresKeyStore(database), None, settings.key_pepper, utc_now)
    templates = PostgresTemplateEdits(database)
    retention = PostgresRetention(database)
    admin = Admin(SchemaOwner(database), applications, dead_letters, settings.key_pepper, utc_now, templates, retention)
    return admin, lookup


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of Invoke and schedule (an action) and of API Gateway (REST, proxy)."""
    count(metrics, "admin_actions", 1)
    if "requestContext" in event:
        return api(event, context)
    logger.info("admin action", extra={"action": event.get("action")})
    admin, _ = _dependencies()
    return jsonable(admin.run(event))
