"""Applications and keys in Postgres."""

from datetime import datetime
from typing import Any

from sluice.applications.model import KeyRecord, Limits, Scope
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database


class PostgresKeyStore:
    """See KeyStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_key(self, key_id: str) -> KeyRecord | None:
        """See KeyStore.find_key."""
        with self._database.transaction() as cursor:
            cursor.execute("SELECT * FROM look_up_key(%s)", (key_id,))
            row = cursor.fetchone()
        if row is None:
            return None
        key_id, secret_hash, application_id, application, retention_class, scopes, expires_at, *limits = row
        return KeyRecord(
            key_id,
            bytes(secret_hash),
            application_id,
            application,
            retention_class,
            frozenset(map(Scope, scopes)),
            expires_at,
            Limits(*limits),
        )


class PostgresApplications:
    """Applications and their keys, for their administrator. Rows are dicts ready for JSON, but for datetimes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str) -> dict[str, Any]:
        """A new active application. Raises RejectedInput ``application_exists``."""
        rows = self._rows(
            "INSERT INTO applications (name) VALUES (%s) ON CONFLICT (name) DO NOTHING RETURNING application_id",
            (name,),
        )
        if not rows:
            raise RejectedInput("application_exists", f"there is an application {name!r} already")
        return self.find(name)

    def find(self, name: str) -> dict[str, Any]:
        """One application. Raises RejectedInput ``unknown_application``."""
        for application in self.all():
            if application["name"] == name:
                return application
        raise RejectedInput("unknown_application", f"there is no application {name!r}")

    def all(self) -> list[dict[str, Any]]:
        """All applications by name, with the number of their live keys."""
        return self._rows(
            """
            SELECT application_id, applications.name, status, retention_classes.name AS retention_class, created_at,
                   (SELECT count(*) FROM api_keys WHERE api_keys.application_id = applications.application_id
                      AND api_keys.status = 'active') AS key_count
            FROM applications JOIN retention_classes USING (retention_class) ORDER BY applications.name
            """
        )

    def add_key(
        self, name: str, *, key_id: str, secret_hash: bytes, scopes: list[str], expires_at: datetime | None
    ) -> dict[str, Any]:
        """A new active key of the application ``name``. Raises RejectedInput ``unknown_application``."""
        rows = self._rows(
            """
            INSERT INTO api_keys (key_id, application_id, secret_hash, scopes, expires_at)
            SELECT %s, application_id, %s, %s, %s FROM applications WHERE name = %s
            RETURNING key_id, scopes, expires_at
            """,
            (key_id, secret_hash, scopes, expires_at, name),
        )
        if not rows:
            raise RejectedInput("unknown_application", f"there is no application {name!r}")
        return rows[0]

    def keys(self, name: str) -> list[dict[str, Any]]:
        """The application's keys, newest first. Raises RejectedInput ``unknown_application``."""
        application = self.find(name)
        return self._rows(
            """
            SELECT key_id, scopes, status, expires_at, created_at FROM api_keys
            WHERE application_id = %s ORDER BY created_at DESC
            """,
            (application["application_id"],),
        )

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """Revokes a key; revoking it again changes nothing. Raises RejectedInput ``unknown_key``."""
        rows = self._rows(
            """
            UPDATE api_keys SET status = 'revoked', revoked_at = coalesce(revoked_at, now())
            WHERE key_id = %s RETURNING key_id, status
            """,
            (key_id,),
        )
        if not rows:
            raise RejectedInput("unknown_key", f"there is no key {key_id!r}")
        return rows[0]

    def _rows(self, sql: str, arguments: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        with self._database.transaction() as cursor:
            cursor.execute(sql, arguments)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
