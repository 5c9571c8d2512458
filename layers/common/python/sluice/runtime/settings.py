"""Settings of each function: only what it uses, read once, every problem reported at once.

The only module that knows the names of environment variables; ``from_env`` takes any mapping.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from sluice.errors import ConfigError

if TYPE_CHECKING:  # what few functions use, others need not load
    from sluice.notifications.addresses import Origin


class _Reader:
    """Reads variables of one environment and gathers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environ.get(name, "").strip()
        if not value:
            self.problems.append(f"{name} is not set")
        return value

    def optional(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def url(self, name: str, *schemes: str) -> str:
        value = self.text(name)
        if value and urlsplit(value).scheme not in schemes:
            self.problems.append(f"{name} must be a URL that begins with {' or '.join(schemes)}://")
        return value

    def positive(self, name: str) -> int:
        value = self.text(name)
        if value and not (value.isascii() and value.isdigit() and int(value) > 0):
            self.problems.append(f"{name} must be a whole number above 0, not {value!r}")
            return 1
        return int(value or 1)

    def switch(self, name: str) -> bool:
        value = self.text(name)
        if value and value not in ("on", "off"):
            self.problems.append(f"{name} must be on or off, not {value!r}")
        return value == "on"

    def ports(self, name: str) -> frozenset[int]:
        items = [item.strip() for item in self.text(name).split(",")]
        if not all(item.isascii() and item.isdigit() and 0 < int(item) < 65_536 for item in items):
            self.problems.append(f"{name} must be port numbers with commas between them")
            return frozenset()
        return frozenset(map(int, items))

    def origins(self, name: str) -> "frozenset[Origin]":
        from sluice.notifications.addresses import Origin

        try:
            return frozenset(map(Origin.parse, filter(None, map(str.strip, self.optional(name).split(",")))))
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return frozenset()

    def pepper(self, name: str) -> bytes:
        value = self.text(name)
        try:
            pepper = bytes.fromhex(value)
        except ValueError:
            pepper = b""
        if value and len(pepper) < 32:
            self.problems.append(f"{name} must be at least 64 hexadecimal digits")
        return pepper

    def database(self) -> str:
        return self.url("DATABASE_URL", "postgresql", "postgres")

    def redis(self) -> str:
        return self.url("REDIS_URL", "redis", "rediss")


def _load[Settings](environ: Mapping[str, str], build: Callable[[_Reader], Settings]) -> Settings:
    reader = _Reader(environ)
    settings = build(reader)
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings


def metric_dimensions(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What tells the function's metrics from those of others: stage and name, as far as they are set."""
    named = {"stage": environ.get("SLUICE_STAGE"), "service": environ.get("POWERTOOLS_SERVICE_NAME")}
    return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What functions/ingest uses."""

    redis_url: str
    database_url: str
    key_pepper: bytes
    shard_count: int
    max_body_bytes: int
    max_inflated_bytes: int
    max_batch_records: int
    backlog_limit_bytes: int
    requests_per_second: int  # like the next two, of an application for which nothing else is set
    bytes_per_second: int
    bytes_per_day: int
    burst_seconds: int
    drain_function: str = ""  # to be woken; empty where it ticks
    wake_seconds: int = 10  # between two wakes at least

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                key_pepper=read.pepper("KEY_PEPPER"),
                shard_count=read.positive("SHARD_COUNT"),
                max_body_bytes=read.positive("MAX_BODY_BYTES"),
                max_inflated_bytes=read.positive("MAX_INFLATED_BYTES"),
                max_batch_records=read.positive("MAX_BATCH_RECORDS"),
                backlog_limit_bytes=read.positive("BACKLOG_LIMIT_BYTES"),
                requests_per_second=read.positive("REQUESTS_PER_SECOND"),
                bytes_per_second=read.positive("BYTES_PER_SECOND"),
                bytes_per_day=read.positive("BYTES_PER_DAY"),
                burst_seconds=read.positive("BURST_SECONDS"),
                drain_function=read.optional("DRAIN_FUNCTION"),
                wake_seconds=read.positive("WAKE_SECONDS"),
            ),
        )


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """What functions/drain uses."""

    redis_url: str
    shard_count: int
    process_chunk_function: str
    chunk_max_records: int
    chunk_max_bytes: int
    chunk_concurrency: int
    process_chunk_timeout_seconds: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                shard_count=read.positive("SHARD_COUNT"),
                process_chunk_function=read.text("PROCESS_CHUNK_FUNCTION"),
                chunk_max_records=read.positive("CHUNK_MAX_RECORDS"),
                chunk_max_bytes=read.positive("CHUNK_MAX_BYTES"),
                chunk_concurrency=read.positive("CHUNK_CONCURRENCY"),
                process_chunk_timeout_seconds=read.positive("PROCESS_CHUNK_TIMEOUT_SECONDS"),
            ),
        )


@dataclass(frozen=True, slots=True)
class ProcessChunkSettings:
    """What functions/process_chunk uses."""

    redis_url: str
    database_url: str
    shard_count: int
    templates: bool  # whether logs are clustered

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                shard_count=read.positive("SHARD_COUNT"),
                templates=read.switch("TEMPLATES"),
            ),
        )


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """What functions/query uses."""

    redis_url: str
    database_url: str
    key_pepper: bytes
    shard_count: int
    tail_seats: int  # requests of the live tail that may wait at the same time
    backlog_limit_bytes: int
    requests_per_second: int  # like the next two, of an application for which nothing else is set
    bytes_per_second: int
    bytes_per_day: int
    burst_seconds: int
    drain_mode: str  # wake or tick, see template.yaml

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                key_pepper=read.pepper("KEY_PEPPER"),
                shard_count=read.positive("SHARD_COUNT"),
                tail_seats=read.positive("TAIL_SEATS"),
                backlog_limit_bytes=read.positive("BACKLOG_LIMIT_BYTES"),
                requests_per_second=read.positive("REQUESTS_PER_SECOND"),
                bytes_per_second=read.positive("BYTES_PER_SECOND"),
                bytes_per_day=read.positive("BYTES_PER_DAY"),
                burst_seconds=read.positive("BURST_SECONDS"),
                drain_mode=read.text("DRAIN_MODE"),
            ),
        )


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """What functions/dashboard uses."""

    redis_url: str
    database_url: str
    key_pepper: bytes

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(), database_url=read.database(), key_pepper=read.pepper("KEY_PEPPER")
            ),
        )


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What functions/index uses."""

    database_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(environ, lambda read: cls(database_url=read.database()))


@dataclass(frozen=True, slots=True)
class DeliverSettings:
    """What functions/deliver uses."""

    webhook_ports: frozenset[int]
    webhook_allow_list: "frozenset[Origin]"  # where webhooks may go though it is no public host
    email_from: str = ""  # what SES sends from; empty: no e-mail

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                webhook_ports=read.ports("WEBHOOK_PORTS"),
                webhook_allow_list=read.origins("WEBHOOK_ALLOW_LIST"),
                email_from=read.optional("EMAIL_FROM"),
            ),
        )


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """What functions/archive uses."""

    redis_url: str
    database_url: str
    shard_count: int
    bucket: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                shard_count=read.positive("SHARD_COUNT"),
                bucket=read.text("ARCHIVE_BUCKET"),
            ),
        )


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What functions/watch uses."""

    redis_url: str
    database_url: str
    shard_count: int
    templates: bool  # whether logs are clustered, and so counted
    key_pepper: bytes  # webhooks' secrets are derived from it
    deliver_function: str
    deliver_timeout_seconds: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                shard_count=read.positive("SHARD_COUNT"),
                templates=read.switch("TEMPLATES"),
                key_pepper=read.pepper("KEY_PEPPER"),
                deliver_function=read.text("DELIVER_FUNCTION"),
                deliver_timeout_seconds=read.positive("DELIVER_TIMEOUT_SECONDS"),
            ),
        )


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """What functions/alerts uses."""

    redis_url: str
    database_url: str
    key_pepper: bytes
    templates: bool  # whether logs are clustered, and so counted
    deliver_function: str
    deliver_timeout_seconds: int
    webhook_ports: frozenset[int]
    webhook_allow_list: "frozenset[Origin]"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                redis_url=read.redis(),
                database_url=read.database(),
                key_pepper=read.pepper("KEY_PEPPER"),
                templates=read.switch("TEMPLATES"),
                deliver_function=read.text("DELIVER_FUNCTION"),
                deliver_timeout_seconds=read.positive("DELIVER_TIMEOUT_SECONDS"),
                webhook_ports=read.ports("WEBHOOK_PORTS"),
                webhook_allow_list=read.origins("WEBHOOK_ALLOW_LIST"),
            ),
        )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """What functions/admin uses."""

    database_url: str
    key_pepper: bytes
    templates: bool  # whether logs are clustered: redriven ones, too

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises ConfigError naming every problem."""
        return _load(
            environ,
            lambda read: cls(
                database_url=read.database(),
                key_pepper=read.pepper("KEY_PEPPER"),
                templates=read.switch("TEMPLATES"),
            ),
        )
