"""Contracts of the stores that keep applications and keys."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from sluice.applications.model import ApplicationChange, KeyRecord


class KeyStore(Protocol):
    """The truth about keys."""

    def find_key(self, key_id: str) -> KeyRecord | None:
        """The live key (active, of an active application) with this id; None if there is none. Expiry is the caller's
        to judge. Raises Unavailable when the store cannot be asked."""


class KeyCache(Protocol):
    """A shared cache in front of the store; losing all of it costs only speed."""

    def fetch_key(self, key_id: str) -> KeyRecord | None:
        """The cached key, or None. Never raises for an unreachable cache or an entry it cannot trust."""

    def keep_key(self, key: KeyRecord) -> None:
        """Keeps the key for the cache's lifetime. Never raises for an unreachable cache."""


class Register(Protocol):
    """Applications and their keys, for administrators. Methods answer with dicts ready for JSON, but for datetimes, and
    raise RejectedInput (``unknown_application`` and ``unknown_key`` with 404, conflicts with 409) and Unavailable.

    An application has application_id, name, status, retention_class, limits (by names of Limits), created_at and
    key_count (live ones); a key has key_id, application, description, scopes, status (active, expired or revoked),
    created_at, expires_at, revoked_at, rotated_to (the key id of its successor) and last_used_at: when it was last
    presented, refused or not, to a minute or so.
    """

    def create(self, name: str) -> dict[str, Any]:
        """A new active application. Raises ``application_exists``."""

    def find(self, name: str) -> dict[str, Any]:
        """One application."""

    def all(self) -> list[dict[str, Any]]:
        """All applications by name."""

    def change(self, name: str, change: ApplicationChange) -> dict[str, Any]:
        """The application after the change, all of it or nothing. Raises ``application_exists`` for a taken name."""

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
        """A new active key of the application ``name``."""

    def keys(self, name: str) -> list[dict[str, Any]]:
        """The application's keys, newest first."""

    def rotate_key(
        self, old_id: str, *, key_id: str, secret_hash: bytes, overlap: timedelta, now: datetime
    ) -> dict[str, Any]:
        """A new key in the place of an old one: same application, scopes and description, and as long a life as the
        old one was given. The old one expires after ``overlap``, if not sooner. Raises ``key_revoked`` and
        ``key_rotated``: a key has one successor, so a repeated call makes no second one."""

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """The revoked key; revoking it again changes nothing."""


class Clock(Protocol):
    """Where the time comes from."""

    def __call__(self) -> datetime:
        """The current time, aware, UTC."""
