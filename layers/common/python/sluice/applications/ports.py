"""Contracts of the stores that keep applications and keys."""

from datetime import datetime
from typing import Protocol

from sluice.applications.model import KeyRecord


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


class Clock(Protocol):
    """Where the time comes from."""

    def __call__(self) -> datetime:
        """The current time, aware, UTC."""
