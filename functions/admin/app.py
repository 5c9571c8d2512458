"""Administration: schema, partitions, applications, keys and dead letters.

Trigger: Invoke, by the operator's command line or a schedule (IAM is its authentication), and HTTP for dead letters (a
key with the scope admin). Promise: each action is one transaction (migrations: one each; redrive: one for 500 letters)
and can be repeated. On failure an Invoke raises, its message beginning with the code; HTTP answers problem+json.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from chalice.app import Request, Response

from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import APPLICATION_NAME, Scope
from sluice.applications.ports import Clock
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.deadletters.select import read_selection
from sluice.entries.timestamps import timestamp_from_text
from sluice.errors import RejectedInput
from sluice.runtime.http import HttpApi, json_body, json_response, jsonable
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.settings import AdminSettings
from sluice.schema.postgres import SchemaOwner

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("admin", logger, metrics)

MAX_DEAD_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Admin:
    """The use cases: one public method per action, from the event's members to a JSON answer."""

    schema: SchemaOwner
    applications: PostgresApplications
    dead_letters: PostgresDeadLetters
    pepper: bytes
    clock: Clock

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Runs the event's action. Raises RejectedInput ``unknown_action`` and whatever the action raises."""
        actions: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "migrate": self.migrate,
            "maintain": self.maintain,
            "create_application": self.create_application,
            "list_applications": self.list_applications,
            "create_key": self.create_key,
            "list_keys": self.list_keys,
            "revoke_key": self.revoke_key,
            "list_dead_letters": self.list_dead_letters,
            "show_dead_letter": self.show_dead_letter,
            "redrive_dead_letters": self.redrive_dead_letters,
            "drop_dead_letters": self.drop_dead_letters,
        }
        action = event.get("action")
        if not isinstance(action, str) or action not in actions:
            raise RejectedInput("unknown_action", f"action must be one of {', '.join(actions)}")
        return actions[action](event)

    def migrate(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Applies pending migrations and creates the partitions of the days ahead."""
        applied = self.schema.migrate()
        self.schema.create_partitions(self.clock().date())
        return {"applied": applied, "version": self.schema.version()}

    def maintain(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Creates the partitions of the days ahead."""
        return {"partitions_created": self.schema.create_partitions(self.clock().date())}

    def create_application(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Creates the application ``name``."""
        name = _text(event, "name")
        if not APPLICATION_NAME.fullmatch(name):
            detail = "a name has 1 to 63 of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit"
            raise RejectedInput("invalid_name", detail)
        return {"application": self.applications.create(name)}

    def list_applications(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Lists all applications."""
        return {"applications": self.applications.all()}

    def create_key(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Creates a key of ``application`` with ``scopes`` (default: ingest) and ``expires_at`` (RFC 3339 or null)."""
        text, key = mint_key(self.pepper)
        created = self.applications.add_key(
            _text(event, "application"),
            key_id=key.key_id,
            secret_hash=hash_secret(key.secret, self.pepper),
            scopes=_scopes(event.get("scopes", [Scope.INGEST])),
            expires_at=_expiry(event.get("expires_at"), self.clock()),
        )
        return {"key": text, **created}

    def list_keys(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Lists the keys of ``application``, without their secrets."""
        return {"keys": self.applications.keys(_text(event, "application"))}

    def revoke_key(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Revokes ``key_id``; it is refused everywhere within 15 s."""
        return self.applications.revoke_key(_text(event, "key_id"))

    def list_dead_letters(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Lists dead letters, newest first, as selected; at most ``limit``, below the id ``before``."""
        limit, before = event.get("limit", 50), event.get("before")
        if type(limit) is not int or not 1 <= limit <= MAX_DEAD_LETTERS:
            raise RejectedInput("invalid_limit", f"limit must be a whole number from 1 to {MAX_DEAD_LETTERS}")
        if before is not None and type(before) is not int:
            raise RejectedInput("invalid_before", "before must be the id of a dead letter")
        found = self.dead_letters.find(read_selection(event), limit=limit, before=before)
        return {"dead_letters": found, "next_before": found[-1]["id"] if len(found) == limit else None}

    def show_dead_letter(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Shows the dead letter ``id`` with its queued bytes."""
        dead_letter_id = event.get("id")
        if type(dead_letter_id) is not int or not 0 < dead_letter_id < 2**63:
            raise RejectedInput("invalid_id", "id must be the id of a dead letter")
        return {"dead_letter": self.dead_letters.show(dead_letter_id)}

    def redrive_dead_letters(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Repairs and stores the selected open dead letters."""
        return asdict(self.dead_letters.redrive(read_selection(event, must_be_explicit=True)))

    def drop_dead_letters(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Closes the selected open dead letters without storing them."""
        return {"dropped": self.dead_letters.drop(read_selection(event, must_be_explicit=True))}


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value or "\x00" in value:
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return value


def _scopes(value: Any) -> list[str]:
    known = [scope.value for scope in Scope]
    if not isinstance(value, list) or not value or any(scope not in known for scope in value):
        raise RejectedInput("invalid_scopes", f"scopes must be a list of {', '.join(known)}")
    return sorted(set(map(str, value)))


def _expiry(value: Any, now: datetime) -> datetime | None:
    if value is None:
        return None
    try:
        expires_at = timestamp_from_text(value)
    except (AttributeError, ValueError, OverflowError) as error:
        raise RejectedInput("invalid_expires_at", "expires_at must be an RFC 3339 time") from error
    if expires_at <= now:
        raise RejectedInput("invalid_expires_at", "expires_at must lie in the future")
    return expires_at


def _authenticated(request: Request) -> Admin:
    admin, lookup = _dependencies()
    lookup.authenticate(request.headers.get("x-api-key"), Scope.ADMIN)
    return admin


@api.route("GET", "/api/dead-letters")
def list_dead_letters(request: Request) -> Response:
    """Dead letters, newest first."""
    admin = _authenticated(request)
    parameters: dict[str, Any] = dict(request.query_params or {})
    numbers = {name: _number(parameters[name]) for name in ("limit", "before") if name in parameters}
    return json_response(jsonable(admin.list_dead_letters(parameters | numbers)))


@api.route("GET", "/api/dead-letters/{id}")
def show_dead_letter(request: Request) -> Response:
    """One dead letter."""
    admin = _authenticated(request)
    return json_response(jsonable(admin.show_dead_letter({"id": _number((request.uri_params or {})["id"])})))


@api.route("POST", "/api/dead-letters/redrive")
def redrive_dead_letters(request: Request) -> Response:
    """Repairs and stores."""
    return json_response(_authenticated(request).redrive_dead_letters(json_body(request)))


@api.route("POST", "/api/dead-letters/drop")
def drop_dead_letters(request: Request) -> Response:
    """Closes without storing."""
    return json_response(_authenticated(request).drop_dead_letters(json_body(request)))


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


@cache
def _dependencies() -> tuple[Admin, KeyLookup]:
    settings = AdminSettings.from_env()
    database = Database(settings.database_url)
    applications, dead_letters = PostgresApplications(database), PostgresDeadLetters(database)
    lookup = KeyLookup(PostgresKeyStore(database), None, settings.key_pepper, utc_now)
    return Admin(SchemaOwner(database), applications, dead_letters, settings.key_pepper, utc_now), lookup


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
