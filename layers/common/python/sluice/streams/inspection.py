"""What an operator sees of one shard, and how it is read from what Redis says. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_MAX_DIGITS = 18  # below 2 ** 63


@dataclass(frozen=True, slots=True)
class Header:
    """What an entry says about itself; None where it says nothing that can be read."""

    application_id: int | None
    record_count: int | None


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that a drain holds, or held when it ended."""

    entry_id: str
    consumer: str
    age_seconds: float  # since it was queued
    idle_seconds: float  # since it was handed out last; a released one claims to be a day old
    deliveries: int
    header: Header | None = None  # None: not among the entries that were read


@dataclass(frozen=True, slots=True)
class Consumer:
    """A member of the consumer group."""

    name: str
    pending_count: int
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Group:
    """The consumer group. ``lag_count``: entries never handed out; None where Redis cannot tell."""

    pending_count: int
    lag_count: int | None
    consumers: tuple[Consumer, ...]


@dataclass(frozen=True, slots=True)
class ApplicationShare:
    """One application's part of a shard. Entries and records are of those that were read; the others are exact."""

    application_id: int | None  # None: entries that name no application
    entry_count: int = 0
    record_count: int = 0
    size_bytes: int = 0  # as counted against the backlog limit
    accepted_count: int = 0  # since the queue's memory began


@dataclass(frozen=True, slots=True)
class ShardState:
    """One shard. ``record_count`` is of the ``read_count`` oldest entries: all of them, unless there are more."""

    shard: int
    entry_count: int
    read_count: int
    record_count: int
    size_bytes: int
    oldest_seconds: float | None  # age of the oldest entry that was read
    group: Group | None  # None: no drain has run since the queue's memory began
    pending: tuple[PendingEntry, ...]
    applications: tuple[ApplicationShare, ...]


@dataclass(frozen=True, slots=True)
class DrainState:
    """Whether a drain lingers now, and when the last ones began that ingest woke and that anything else started."""

    is_lingering: bool
    last_wake_at: datetime | None = None
    last_start_at: datetime | None = None


def share_out(
    headers: Iterable[Header], sizes: Mapping[int, int], accepted: Mapping[int, int]
) -> tuple[ApplicationShare, ...]:
    """The applications of a shard, the largest first, from the entries that were read and the counters."""
    entries: dict[int | None, list[int]] = defaultdict(list)
    for header in headers:
        entries[header.application_id].append(header.record_count or 0)
    shares = [
        ApplicationShare(
            known, len(entries[known]), sum(entries[known]), sizes.get(known or 0, 0), accepted.get(known or 0, 0)
        )
        for known in {*entries, *sizes, *accepted}
    ]
    return tuple(sorted(shares, key=lambda share: (-share.size_bytes, -share.entry_count, share.application_id or 0)))


def read_state(shard: int, answer: Sequence[Any], headers: Iterable[Sequence[bytes]]) -> ShardState:
    """``answer`` is that of scripts/inspect.lua, ``headers`` lines as of scripts/ranges.lua, oldest first."""
    now_ms, length, group, consumers, pending, accepted, sizes = answer
    read = {
        entry_id.decode(): Header(read_number(application), read_number(count))
        for entry_id, application, _, count, _ in headers
    }
    return ShardState(
        shard=shard,
        entry_count=max(length, len(read)),
        read_count=len(read),
        record_count=sum(header.record_count or 0 for header in read.values()),
        size_bytes=read_number(dict(_pairs(sizes)).get(b"total", b"")) or 0,
        oldest_seconds=_seconds_since(next(iter(read)), int(now_ms)) if read else None,
        group=_read_group(group, consumers) if group else None,
        pending=tuple(_read_pending(item, int(now_ms), read) for item in pending),
        applications=share_out(read.values(), _counters(sizes), _counters(accepted)),
    )


def read_number(text: bytes) -> int | None:
    """A count or an id as ours are, from an entry that anybody may have written."""
    return int(text) if len(text) <= _MAX_DIGITS and text.isdigit() else None


def _pairs(reply: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(reply[::2], reply[1::2], strict=True)


def _counters(reply: Sequence[bytes]) -> dict[int, int]:
    """A hash of numbers by application; fields with other names are left out."""
    numbers = ((read_number(name), read_number(value) or 0) for name, value in _pairs(reply))
    return {name: value for name, value in numbers if name is not None}


def _read_group(facts: Sequence[Any], consumers: Iterable[Sequence[Any]]) -> Group:
    pending_count, lag = facts
    members = (Consumer(_text(name), count, idle_ms / 1000) for name, count, idle_ms in consumers)
    return Group(pending_count, lag, tuple(members))


def _read_pending(item: Sequence[Any], now_ms: int, read: Mapping[str, Header]) -> PendingEntry:
    entry_id, consumer, idle_ms, deliveries = item
    name = entry_id.decode()
    return PendingEntry(name, _text(consumer), _seconds_since(name, now_ms), idle_ms / 1000, deliveries, read.get(name))


def _seconds_since(entry_id: str, now_ms: int) -> float:
    """Seconds since the entry was queued, by its id; 0 for one that claims to come from the future."""
    return max(now_ms - int(entry_id.partition("-")[0]), 0) / 1000


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
