"""Applications and API keys as the rest of the platform sees them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MAX_NAME_CHARACTERS = 63  # fewer than a key has
APPLICATION_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


class Scope(StrEnum):
    """What a key may do: send logs, read its application's logs, see and administer every application, read the
    platform's metrics, keep its application's alert rules and do what is on call's."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"
    METRICS = "metrics"
    ALERTS = "alerts"


class Status(StrEnum):
    """Whether an application may use Sluice. A disabled one keeps its logs and keys, and its keys are refused."""

    ACTIVE = "active"
    DISABLED = "disabled"


# The largest of each limit: what clients are told of them in the RateLimit fields has at most 15 digits.
LARGEST_LIMITS = {"requests_per_second": 2**31 - 1, "bytes_per_second": 10**12 - 1, "bytes_per_day": 10**15 - 1}


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


@dataclass(frozen=True, slots=True)
class ApplicationChange:
    """What is to be different; None, and limits that are not named, stay. ``limits`` has values by names of Limits,
    None for the deployment's default."""

    name: str | None = None
    status: Status | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)


def successor_expiry(created_at: datetime, expires_at: datetime | None, now: datetime) -> datetime | None:
    """When a rotated key's successor expires: it lives as long as the old key was given."""
    if expires_at is None:
        return None
    try:
        return now + (expires_at - created_at)
    except OverflowError:  # beyond the year 9999
        return expires_at
