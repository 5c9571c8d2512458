"""Applications and API keys as the rest of the platform sees them."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

APPLICATION_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


class Scope(StrEnum):
    """What a key may do: send logs, read its application's logs, see every application."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an application may send; None means what the deployment's settings say."""

    requests_per_second: int | None = None
    bytes_per_second: int | None = None  # of inflated bodies
    bytes_per_day: int | None = None  # the same, by UTC days


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A live key as stored: never the secret, only its keyed hash."""

    key_id: str
    secret_hash: bytes  # HMAC-SHA256(pepper, secret), 32 bytes
    application_id: int
    application: str  # the application's name
    retention_class: int
    scopes: frozenset[Scope]
    expires_at: datetime | None
    limits: Limits = Limits()
