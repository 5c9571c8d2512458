"""The queue."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from backports import zstd

from fakes.clock import ManualClock
from sluice.entries.columns import records_of
from sluice.errors import RejectedInput, Throttled, Unavailable
from sluice.streams.inspection import Consumer, DrainState, Group, Header, PendingEntry, ShardState, share_out
from sluice.streams.model import (
    Claim,
    ClaimedEntry,
    QueuedRange,
    StreamEntry,
    Submission,
    Submitted,
    UnreadableEntry,
)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class _Queued:
    entry: StreamEntry
    claimed_at: datetime | None = None
    deliveries: int = 0


@dataclass
class MemoryQueue:
    """All queue ports in one; shard = application id modulo shard count."""

    clock: ManualClock = field(default_factory=ManualClock)
    shard_count: int = 1
    backlog_limit_bytes: int = 10_000_000
    wake_seconds: float = 0
    is_down: bool = False
    attended_until: datetime = _LONG_AGO
    _next_wake_at: datetime = _LONG_AGO
    _entries: dict[int, dict[str, _Queued]] = field(default_factory=dict)
    _accepted: dict[tuple[int, int], int] = field(default_factory=dict)
    _bodies: dict[UUID, bytes] = field(default_factory=dict)
    _groups: set[int] = field(default_factory=set)
    _starts: dict[bool, datetime] = field(default_factory=dict)  # by whether ingest woke it
    _ids: int = 0

    def submit(self, submission: Submission) -> Submitted:
        self._check_up()
        if submission.is_idempotent and submission.batch_id in self._bodies:
            if self._bodies[submission.batch_id] == submission.body_hash:
                return Submitted.REPLAYED
            raise RejectedInput("idempotency_key_reused", "another body", status=422)
        self._check_backlog(submission)
        key = (submission.application_id, submission.application_id % self.shard_count)
        for number, part in enumerate(submission.parts):
            self._add(submission, number, self._accepted.get(key, 0) + 1)
            self._accepted[key] = self._accepted.get(key, 0) + part.record_count
        if submission.is_idempotent:
            self._bodies[submission.batch_id] = submission.body_hash
        now = self.clock()
        if not self.wake_seconds or now < max(self.attended_until, self._next_wake_at):
            return Submitted.QUEUED
        self._next_wake_at = now + timedelta(seconds=self.wake_seconds)
        return Submitted.UNATTENDED

    def claim(self, shard: int, *, min_idle_seconds: float, max_records: int, max_bytes: int) -> Claim:
        self._check_up()
        self._groups.add(shard)
        idle_since = self.clock() - timedelta(seconds=min_idle_seconds)
        queued = list(self._shard(shard).values())
        left = [item for item in queued if item.claimed_at is not None and item.claimed_at <= idle_since]
        claimed, reclaimed, records, size = [], 0, 0, 0
        for item in left + [item for item in queued if item.claimed_at is None]:
            share = 0.5 if item.claimed_at is not None else 1
            if records >= max_records * share or size >= max_bytes * share:
                continue
            reclaimed += item.claimed_at is not None
            item.claimed_at = self.clock()
            claimed.append(_header(item))
            records += item.entry.record_count
            size += len(item.entry.lines)
        return Claim(tuple(claimed), reclaimed, 0)

    def start(self, shard: int, entries: Sequence[ClaimedEntry]) -> None:
        self._check_up()
        for entry in entries:
            if (item := self._shard(shard).get(entry.entry_id)) is not None:
                item.claimed_at, item.deliveries = self.clock(), entry.deliveries

    def release(self, shard: int, entries: Sequence[ClaimedEntry], *, is_forgiven: bool) -> None:
        for entry in entries:
            if (item := self._shard(shard).get(entry.entry_id)) is not None:
                item.claimed_at = _LONG_AGO
                item.deliveries = 0 if is_forgiven else item.deliveries

    def note_start(self, *, is_woken: bool) -> None:
        self._starts[is_woken] = self.clock()

    def attend(self, seconds: float) -> None:
        if not self.is_down:
            self.attended_until = self.clock() + timedelta(seconds=seconds)

    def leave(self) -> None:
        if not self.is_down:
            self.attended_until = _LONG_AGO

    def trim(self, shard: int) -> None:
        self._check_up()

    def count_entries(self, shard: int) -> int:
        self._check_up()
        return len(self._shard(shard))

    def shards(self) -> list[int]:
        self._check_up()
        return sorted({*range(self.shard_count), *(shard for _, shard in self._accepted)})

    def read(self, shard: int, entry_ids: Sequence[str]) -> list[StreamEntry | UnreadableEntry]:
        self._check_up()
        return [self._shard(shard)[entry_id].entry for entry_id in entry_ids if entry_id in self._shard(shard)]

    def acknowledge(self, shard: int, entries: Sequence[StreamEntry | UnreadableEntry]) -> int:
        self._check_up()
        return sum(self._shard(shard).pop(entry.entry_id, None) is not None for entry in entries)

    def accepted(self) -> dict[tuple[int, int], int]:
        self._check_up()
        return dict(self._accepted)

    def queued_ranges(self) -> list[QueuedRange]:
        self._check_up()
        entries = [item.entry for shard in self._entries.values() for item in shard.values()]
        return [
            QueuedRange(item.application_id, item.shard, item.first_sequence, item.record_count, item.batch_id)
            for item in entries
        ]

    def inspect(self, shard: int, *, max_entries: int, max_pending: int) -> ShardState:
        self._check_up()
        queued = list(self._shard(shard).values())
        read = {item.entry.entry_id: _facts(item) for item in queued[:max_entries]}
        sizes: dict[int, int] = {}
        for item in queued:
            sizes[item.entry.application_id] = sizes.get(item.entry.application_id, 0) + item.entry.size_bytes
        claimed = [(item, item.claimed_at) for item in queued if item.claimed_at is not None]
        pending = [
            PendingEntry(
                item.entry.entry_id,
                "drain",
                (self.clock() - item.entry.received_at).total_seconds(),
                (self.clock() - claimed_at).total_seconds(),
                item.deliveries,
                read.get(item.entry.entry_id),
            )
            for item, claimed_at in claimed[:max_pending]
        ]
        members = (Consumer("drain", len(claimed), 0.0),)
        return ShardState(
            shard=shard,
            entry_count=len(queued),
            read_count=len(read),
            record_count=sum(header.record_count or 0 for header in read.values()),
            size_bytes=sum(sizes.values()),
            oldest_seconds=(self.clock() - queued[0].entry.received_at).total_seconds() if read else None,
            group=Group(len(claimed), len(queued) - len(claimed), members) if shard in self._groups else None,
            pending=tuple(pending),
            applications=share_out(
                read.values(), sizes, {known: last for (known, place), last in self._accepted.items() if place == shard}
            ),
        )

    def drain_state(self) -> DrainState:
        self._check_up()
        is_lingering = self.attended_until > self.clock()
        return DrainState(is_lingering, self._starts.get(True), self._starts.get(False))

    def _check_up(self) -> None:
        if self.is_down:
            raise Unavailable("queue_unavailable", "down")

    def _check_backlog(self, submission: Submission) -> None:
        new = sum(len(part.packed) for part in submission.parts)
        entries = [item.entry for shard in self._entries.values() for item in shard.values()]
        limit = self.backlog_limit_bytes // self.shard_count
        if new > min(limit, self.backlog_limit_bytes // 5):
            raise RejectedInput("batch_too_large", f"more than {limit} bytes", status=413).violating("backlog-share")
        if sum(entry.size_bytes for entry in entries) + new > limit:
            raise Unavailable("backlog_full", "full", retry_after_seconds=10).violating("backlog")
        own = sum(entry.size_bytes for entry in entries if entry.application_id == submission.application_id)
        if own + new > min(limit, self.backlog_limit_bytes // 5):
            raise Throttled("backlog_share_exceeded", "share", retry_after_seconds=10).violating("backlog-share")

    def _add(self, submission: Submission, number: int, first_sequence: int) -> None:
        part = submission.parts[number]
        shard = submission.application_id % self.shard_count
        self._ids += 1
        entry_id = f"{1_700_000_000_000 + self._ids}-0"
        self._shard(shard)[entry_id] = _Queued(
            StreamEntry(
                entry_id=entry_id,
                shard=shard,
                application_id=submission.application_id,
                retention_class=submission.retention_class,
                batch_id=submission.batch_id,
                part=number,
                received_at=submission.received_at,
                event_from=part.event_from,
                event_to=part.event_to,
                body_hash=submission.body_hash,
                record_count=part.record_count,
                first_sequence=first_sequence,
                records=records_of(zstd.decompress(part.packed), part.record_count),
                size_bytes=len(part.packed),
                traceparent=submission.traceparent,
            )
        )

    def _shard(self, shard: int) -> dict[str, _Queued]:
        return self._entries.setdefault(shard, {})


def _facts(item: _Queued) -> Header:
    return Header(item.entry.application_id, item.entry.record_count)


def _header(item: _Queued) -> ClaimedEntry:
    entry = item.entry
    size, deliveries = len(entry.lines), item.deliveries + 1
    return ClaimedEntry(entry.entry_id, entry.application_id, entry.record_count, size, deliveries, entry.batch_id.hex)
