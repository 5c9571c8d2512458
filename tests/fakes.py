"""In-memory stand-ins for the ports. Each passes the same contract suite (tests/contracts) as the real adapter."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from backports import zstd

from sluice.admission.model import DAY_SECONDS, Balance, Rates, Standing, announced, certain_seconds, check_size, judge
from sluice.admission.ports import Admission
from sluice.applications.keys import is_expired
from sluice.applications.model import ApplicationChange, KeyRecord, Limits, Scope, successor_expiry
from sluice.chunks.model import ChunkResult, ChunkTask, Settlement
from sluice.errors import RejectedInput, Throttled, Unavailable
from sluice.streams.inspection import Consumer, Group, Header, PendingEntry, ShardState, share_out
from sluice.streams.model import Claim, ClaimedEntry, QueuedRange, StreamEntry, Submission, Submitted, UnreadableEntry
from sluice.streams.ports import SubmissionQueue

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass
class ManualClock:
    """A clock that moves when told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class MemoryKeyStore:
    """KeyStore; ``is_down`` makes it unavailable, ``asked`` counts look-ups."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    is_down: bool = False
    asked: int = 0

    def find_key(self, key_id: str) -> KeyRecord | None:
        self.asked += 1
        if self.is_down:
            raise Unavailable("database_unavailable", "down")
        return self.keys.get(key_id)


@dataclass
class MemoryKeyCache:
    """KeyCache without expiry of its own; ``clear`` is what time does."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)

    def fetch_key(self, key_id: str) -> KeyRecord | None:
        return self.keys.get(key_id)

    def keep_key(self, key: KeyRecord) -> None:
        self.keys[key.key_id] = key

    def clear(self) -> None:
        self.keys.clear()


@dataclass
class MemoryRegister:
    """Register, and the KeyStore over what it holds."""

    clock: Callable[[], datetime]
    _applications: dict[int, dict[str, Any]] = field(default_factory=dict)
    _keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    _secrets: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def create(self, name: str) -> dict[str, Any]:
        if self._named(name):
            raise RejectedInput("application_exists", "taken", status=409)
        application_id = len(self._applications) + 1
        row = {"name": name, "status": "active", "retention_class": "standard", "limits": asdict(Limits())}
        self._applications[application_id] = {"application_id": application_id, **row, "created_at": self.clock()}
        return self.find(name)

    def find(self, name: str) -> dict[str, Any]:
        if not (found := self._named(name)):
            raise RejectedInput("unknown_application", "none", status=404)
        return {**found[0], "key_count": sum(key["status"] == "active" for key in self.keys(name))}

    def all(self) -> list[dict[str, Any]]:
        return [self.find(name) for name in sorted(row["name"] for row in self._applications.values())]

    def change(self, name: str, change: ApplicationChange) -> dict[str, Any]:
        row = self._applications[self.find(name)["application_id"]]
        new_name = change.name or name
        if new_name != name and self._named(new_name):
            raise RejectedInput("application_exists", "taken", status=409)
        limits = row["limits"] | change.limits
        row |= {"name": new_name, "status": str(change.status or row["status"]), "limits": limits}
        return self.find(new_name)

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
        self._secrets[key_id] = (self.find(name)["application_id"], secret_hash)
        given = {"key_id": key_id, "description": description, "scopes": scopes, "expires_at": expires_at}
        never = dict.fromkeys(("revoked_at", "rotated_to", "last_used_at"))
        self._keys[key_id] = {**given, **never, "created_at": self.clock()}
        return self._key(key_id)

    def keys(self, name: str) -> list[dict[str, Any]]:
        application_id = self._named(name)[0]["application_id"] if self._named(name) else None
        if application_id is None:
            raise RejectedInput("unknown_application", "none", status=404)
        return [self._key(key_id) for key_id in reversed(self._keys) if self._secrets[key_id][0] == application_id]

    def rotate_key(
        self, old_id: str, *, key_id: str, secret_hash: bytes, overlap: timedelta, now: datetime
    ) -> dict[str, Any]:
        old = self._key(old_id)
        for reason, is_so in (("key_revoked", old["status"] == "revoked"), ("key_rotated", old["rotated_to"])):
            if is_so:
                raise RejectedInput(reason, "no", status=409)
        expires_at = successor_expiry(old["created_at"], old["expires_at"], now)
        named = {"scopes": old["scopes"], "expires_at": expires_at, "description": old["description"]}
        new = self.add_key(old["application"], key_id=key_id, secret_hash=secret_hash, **named)
        end = min(old["expires_at"] or now + overlap, now + overlap)
        self._keys[old_id] |= {"rotated_to": key_id, "expires_at": end}
        return new

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        revoked_at = self._key(key_id)["revoked_at"] or self.clock()
        self._keys[key_id]["revoked_at"] = revoked_at
        return self._key(key_id)

    def find_key(self, key_id: str) -> KeyRecord | None:
        if key_id not in self._keys:
            return None
        row, (application_id, secret_hash) = self._keys[key_id], self._secrets[key_id]
        application = self._applications[application_id]
        if row["revoked_at"] or application["status"] == "disabled":
            return None
        scopes, limits = frozenset(map(Scope, row["scopes"])), Limits(**application["limits"])
        name = application["name"]
        return KeyRecord(key_id, secret_hash, application_id, name, 1, scopes, row["expires_at"], limits)

    def _named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self._applications.values() if row["name"] == name]

    def _key(self, key_id: str) -> dict[str, Any]:
        if key_id not in self._keys:
            raise RejectedInput("unknown_key", "none", status=404)
        row = self._keys[key_id]
        status = "expired" if is_expired(row["expires_at"], self.clock()) else "active"
        application = self._applications[self._secrets[key_id][0]]["name"]
        return {**row, "application": application, "status": "revoked" if row["revoked_at"] else status}


@dataclass
class _Account:
    at: float
    requests: float
    size: float
    day: int = 0
    day_bytes: int = 0


@dataclass
class MemoryAdmission:
    """Admission."""

    clock: ManualClock = field(default_factory=ManualClock)
    rates: Rates = field(default_factory=lambda: Rates(1_000_000, 10**9, 10**12, 1))
    is_down: bool = False
    _accounts: dict[int, _Account] = field(default_factory=dict)
    _refused: dict[int, tuple[float, float, Rates, list[Balance]]] = field(default_factory=dict)

    def admit(self, key: KeyRecord, body_bytes: int) -> Standing:
        rates = self.rates.over(key.limits)
        check_size(rates, body_bytes)
        if self.is_down:
            raise Unavailable("queue_unavailable", "down")
        account = self._refilled(key, rates)
        now, before = self.clock().timestamp(), (account.requests, account.size, account.day_bytes)
        is_violated = (
            account.requests < 1,
            account.size <= 0,
            account.day_bytes + body_bytes > rates.bytes_per_day,
        )
        if not any(is_violated):
            account.requests -= 1
            account.size -= body_bytes
            account.day_bytes += body_bytes
        burst, midnight = rates.burst_seconds, (now // DAY_SECONDS + 1) * DAY_SECONDS - now
        remaining = (account.requests, account.size, rates.bytes_per_day - account.day_bytes)
        refused = (
            math.ceil((1 - before[0]) / rates.requests_per_second * 1000),
            math.floor(-before[1] / rates.bytes_per_second * 1000) + 1,
            math.ceil(midnight * 1000),
        )
        whole = (
            burst - account.requests / rates.requests_per_second,
            burst - account.size / rates.bytes_per_second,
            midnight,
        )
        balances = [
            Balance(
                policy,
                bad,
                max(0, math.floor(left)),
                wait_ms if bad else math.ceil(refill * 1000),
            )
            for policy, bad, left, wait_ms, refill in zip(
                rates.policies(), is_violated, remaining, refused, whole, strict=True
            )
        ]
        if seconds := certain_seconds(balances):
            self._refused[key.application_id] = (now, now + seconds, rates, balances)
        return judge(key, balances)

    def recall(self, key: KeyRecord) -> None:
        now = self.clock().timestamp()
        at, until, rates, balances = self._refused.get(key.application_id, (0.0, 0.0, None, []))
        if now < until and rates == self.rates.over(key.limits):
            judge(key, (balance.after(now - at) for balance in balances))

    def refund(self, key: KeyRecord, body_bytes: int) -> None:
        self._accounts[key.application_id].day_bytes -= body_bytes

    def _refilled(self, key: KeyRecord, rates: Rates) -> _Account:
        now = self.clock().timestamp()
        requests, size = rates.requests_per_second * rates.burst_seconds, rates.bytes_per_second * rates.burst_seconds
        account = self._accounts.setdefault(key.application_id, _Account(now, requests, size))
        elapsed, account.at = now - account.at, now
        account.requests = min(requests, account.requests + elapsed * rates.requests_per_second)
        account.size = min(size, account.size + elapsed * rates.bytes_per_second)
        if account.day != now // DAY_SECONDS:
            account.day, account.day_bytes = int(now // DAY_SECONDS), 0
        return account


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
            QueuedRange(item.application_id, item.shard, item.first_sequence, item.record_count) for item in entries
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
                lines=zstd.decompress(part.packed),
                size_bytes=len(part.packed),
            )
        )

    def _shard(self, shard: int) -> dict[str, _Queued]:
        return self._entries.setdefault(shard, {})


def _facts(item: _Queued) -> Header:
    return Header(item.entry.application_id, item.entry.record_count)


def _header(item: _Queued) -> ClaimedEntry:
    entry = item.entry
    return ClaimedEntry(entry.entry_id, entry.application_id, entry.record_count, len(entry.lines), item.deliveries + 1)


@dataclass
class MemoryChunkStore:
    """ChunkStore; ``rows`` holds (batch id, position) of every stored record."""

    rows: list[tuple[UUID, int]] = field(default_factory=list)
    is_down: bool = False
    _ledger: dict[tuple[UUID, int], tuple[str, bytes]] = field(default_factory=dict)
    _dead: list[StreamEntry | UnreadableEntry] = field(default_factory=list)
    _duplicates: set[str] = field(default_factory=set)

    def store(
        self,
        entries: Sequence[StreamEntry | UnreadableEntry],
        *,
        attempts: int = 1,
        is_condemned: bool = False,
        is_forced: bool = False,
    ) -> Settlement:
        if self.is_down:
            raise Unavailable("database_unavailable", "down")
        result = ChunkResult()
        for entry in entries:
            result += self._store_entry(entry, is_condemned)
        return Settlement(result)

    def _store_entry(self, entry: StreamEntry | UnreadableEntry, is_condemned: bool) -> ChunkResult:
        if isinstance(entry, UnreadableEntry):
            self._dead.append(entry)
            return ChunkResult(dead_lettered=1)
        known = self._ledger.get((entry.batch_id, entry.part))
        if known is None:
            self._ledger[entry.batch_id, entry.part] = (entry.entry_id, entry.body_hash)
            if is_condemned:
                self._dead.append(entry)
                return ChunkResult(dead_lettered=entry.record_count)
            positions = [int(line.split(b"\t")[0]) for line in entry.lines.splitlines()]
            self.rows += [(entry.batch_id, position) for position in positions]
            return ChunkResult(stored=entry.record_count)
        if known[0] == entry.entry_id or entry.entry_id in self._duplicates:
            return ChunkResult(redelivered=entry.record_count)
        self._duplicates.add(entry.entry_id)
        if known[1] == entry.body_hash:
            return ChunkResult(duplicate=entry.record_count)
        self._dead.append(entry)
        return ChunkResult(dead_lettered=entry.record_count)


@dataclass
class ScriptedRunner:
    """ChunkRunner that runs a function; what it raises is what process_chunk's invocation would."""

    action: Callable[[ChunkTask], ChunkResult]
    tasks: list[ChunkTask] = field(default_factory=list)

    def run(self, task: ChunkTask) -> ChunkResult:
        self.tasks.append(task)
        return self.action(task)


@dataclass
class MemoryIntake:
    """Intake, in two steps."""

    admission: Admission
    queue: SubmissionQueue

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        standing = self.admission.admit(key, body_bytes)
        with announced(standing):
            return standing, self.queue.submit(submission)
