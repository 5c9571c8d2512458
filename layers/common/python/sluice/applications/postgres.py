"""Applications and keys in Postgres."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor

from sluice.applications.model import MAX_NAME_CHARACTERS, ApplicationChange, KeyRecord, Limits, Scope, successor_expiry
from sluice.errors import RejectedInput
from sluice.runtime.postgres import Database, show_applications

_APPLICATIONS = """
SELECT application_id, a.name, a.status, c.name AS retention_class,
       json_build_object('requests_per_second', requests_per_second, 'bytes_per_second', bytes_per_second,
                         'bytes_per_day', bytes_per_day) AS limits,
       a.created_at,
       (SELECT count(*) FROM api_keys k WHERE k.application_id = a.application_id AND k.status = 'active'
          AND (k.expires_at IS NULL OR k.expires_at > now())) AS key_count
FROM applications a JOIN retention_classes c USING (retention_class)"""
_KEYS = """
SELECT k.key_id, a.name AS application, k.description, k.scopes,
       CASE WHEN k.status = 'active' AND k.expires_at <= now() THEN 'expired' ELSE k.status END AS status,
       k.created_at, k.expires_at, k.revoked_at, k.rotated_to, k.last_used_at
FROM api_keys k JOIN applications a USING (application_id)"""


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
    """See Register."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str) -> dict[str, Any]:
        """See Register.create."""
        with self._database.transaction() as cursor:
            cursor.execute("INSERT INTO applications (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", (name,))
            if not cursor.rowcount:
                raise _name_taken(name)
            return _application(cursor, name)

    def find(self, name: str) -> dict[str, Any]:
        """See Register.find."""
        with self._database.transaction() as cursor:
            return _application(cursor, name)

    def all(self) -> list[dict[str, Any]]:
        """See Register.all."""
        with self._database.transaction() as cursor:
            return _rows(cursor, f"{_APPLICATIONS} ORDER BY a.name")

    def change(self, name: str, change: ApplicationChange) -> dict[str, Any]:
        """See Register.change."""
        with self._database.transaction() as cursor:
            found = _application(cursor, name, "FOR UPDATE OF a")
            new_name, status = change.name or name, change.status or found["status"]
            if new_name != name:
                cursor.execute("SELECT FROM applications WHERE name = %s", (new_name,))
                if cursor.rowcount:
                    raise _name_taken(new_name)
            cursor.execute(
                """
                UPDATE applications SET name = %(name)s, status = %(status)s, bytes_per_second = %(bytes_per_second)s,
                       requests_per_second = %(requests_per_second)s, bytes_per_day = %(bytes_per_day)s
                WHERE application_id = %(id)s
                """,
                asdict(Limits(**{**found["limits"], **change.limits}))
                | {"id": found["application_id"], "name": new_name, "status": status},
            )
            return _application(cursor, new_name)

    def add_key(
        self,
        name: str,
        *,
        key_id: str,
        secret_hash: bytes,
        scopes: list[str],
        expires_at: datetime | None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """See Register.add_key."""
        with self._database.transaction() as cursor:
            application_id = _application(cursor, name)["application_id"]
            return _insert_key(cursor, key_id, application_id, secret_hash, scopes, expires_at, description)

    def keys(self, name: str) -> list[dict[str, Any]]:
        """See Register.keys."""
        with self._database.transaction() as cursor:
            application_id = _application(cursor, name)["application_id"]
            order = "WHERE application_id = %s ORDER BY k.created_at DESC, k.key_id"
            return _rows(cursor, f"{_KEYS} {order}", application_id)

    def rotate_key(
        self, old_id: str, *, key_id: str, secret_hash: bytes, overlap: timedelta, now: datetime
    ) -> dict[str, Any]:
        """See Register.rotate_key."""
        with self._database.transaction() as cursor:
            old = _key(cursor, old_id, "FOR UPDATE OF k")
            if old["status"] == "revoked":
                raise RejectedInput("key_revoked", "this key is revoked: create a new one", status=409)
            if old["rotated_to"] is not None:
                detail = f"this key has a successor already: {old['rotated_to']}"
                raise RejectedInput("key_rotated", detail, status=409)
            cursor.execute("SELECT application_id FROM api_keys WHERE key_id = %s", (old_id,))
            ((application_id,),) = cursor.fetchall()
            expires_at = successor_expiry(old["created_at"], old["expires_at"], now)
            new = _insert_key(
                cursor, key_id, application_id, secret_hash, old["scopes"], expires_at, old["description"]
            )
            cursor.execute(
                "UPDATE api_keys SET rotated_to = %s, expires_at = least(expires_at, %s) WHERE key_id = %s",
                (key_id, now + overlap, old_id),
            )
            return new

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """See Register.revoke_key."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE api_keys SET status = 'revoked', revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s",
                (key_id,),
            )
            return _key(cursor, key_id)


def limits_by_name(database: Database, visible: Collection[int] | None) -> dict[str, tuple[int, Limits]]:
    """Ids and limits of the applications that a reader sees: those given, or all. Raises Unavailable."""
    with database.transaction() as cursor:
        show_applications(cursor, visible)
        cursor.execute(
            "SELECT name, application_id, requests_per_second, bytes_per_second, bytes_per_day"
            " FROM applications ORDER BY name"
        )
        return {name: (application_id, Limits(*limits)) for name, application_id, *limits in cursor.fetchall()}


def _application(cursor: cursor, name: str, lock: str = "") -> dict[str, Any]:
    rows = _rows(cursor, f"{_APPLICATIONS} WHERE a.name = %s {lock}", name)
    if not rows:  # a longer one may be a key, by mistake: it must not get into any log
        shown = f"application {name!r}" if len(name) <= MAX_NAME_CHARACTERS else "such application"
        raise RejectedInput("unknown_application", f"there is no {shown}", status=404)
    return rows[0]


def _key(cursor: cursor, key_id: str, lock: str = "") -> dict[str, Any]:
    rows = _rows(cursor, f"{_KEYS} WHERE k.key_id = %s {lock}", key_id)
    if not rows:  # what was sent may be a whole key, by mistake: it must not get into any log
        raise RejectedInput("unknown_key", "there is no key with this id", status=404)
    return rows[0]


def _insert_key(
    cursor: cursor,
    key_id: str,
    application_id: int,
    secret_hash: bytes,
    scopes: list[str],
    expires_at: datetime | None,
    description: str | None,
) -> dict[str, Any]:
    cursor.execute(
        "INSERT INTO api_keys (key_id, application_id, secret_hash, scopes, expires_at, description)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (key_id, application_id, secret_hash, scopes, expires_at, description),
    )
    return _key(cursor, key_id)


def _name_taken(name: str) -> RejectedInput:
    return RejectedInput("application_exists", f"there is an application {name!r} already", status=409)


def _rows(cursor: cursor, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    cursor.execute(sql, arguments)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
