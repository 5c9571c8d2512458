"""Administration: schema, partitions, applications and keys.

Trigger: Invoke, by the operator's command line or a schedule; IAM is its authentication. Promise: each action is one
transaction (migrations: one each) and can be repeated. On failure it raises; the error message begins with the code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.model import APPLICATION_NAME, Scope
from sluice.applications.ports import Clock
from sluice.applications.postgres import PostgresApplications
from sluice.errors import RejectedInput
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.settings import AdminSettings
from sluice.schema.postgres import SchemaOwner

logger = Logger()
metrics = Metrics(namespace="Sluice")


@dataclass(frozen=True, slots=True)
class Admin:
    """The use cases: one public method per action, from the event's members to a JSON answer."""

    schema: SchemaOwner
    applications: PostgresApplications
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
        expires_at = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise RejectedInput("invalid_expires_at", "expires_at must be an RFC 3339 time") from error
    expires_at = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    if expires_at <= now:
        raise RejectedInput("invalid_expires_at", "expires_at must lie in the future")
    return expires_at


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


@cache
def _dependencies() -> Admin:
    settings = AdminSettings.from_env()
    database = Database(settings.database_url)
    return Admin(SchemaOwner(database), PostgresApplications(database), settings.key_pepper, utc_now)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Invoke and schedule entry point."""
    count(metrics, "admin_actions", 1)
    logger.info("admin action", extra={"action": event.get("action")})
    return _jsonable(_dependencies().run(event))
