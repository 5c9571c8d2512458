"""The queue on Redis Streams (Redis 7.0 or newer, Valkey): one stream per shard.

Keys carry the shard in braces, so that a Redis Cluster keeps what one script touches on one node.
"""

import contextlib
import json
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import compress, islice
from typing import Any
from uuid import UUID

import redis
from backports import zstd

from sluice.entries.columns import count_line_feeds, records_of
from sluice.errors import RejectedInput, Throttled, Unavailable
from sluice.runtime.redis import BLANK, Script, translated
from sluice.streams.inspection import DrainState, ShardState, read_number, read_state
from sluice.streams.model import (
    LINES_VERSION,
    TABLE_VERSION,
    Claim,
    ClaimedEntry,
    NewerEntriesError,
    QueuedRange,
    StreamEntry,
    Submission,
    Submitted,
    UnreadableEntry,
)
from sluice.streams.traceparent import read_traceparent

GROUP = "log_consumers"
MAX_SHARDS = 64  # as template.yaml allows
CONSUMER = "drain"  # one fixed name: consumers come and go with invocations, their pending entries must not
REPLAY_SECONDS = 900
_APPLICATION_SHARE = 0.2  # of the backlog limit
_RANGES_PAGE = 4  # entries whose records one call copies inside Redis, where it holds up everybody
_MAX_CONSUMERS = 100  # shown by an inspection; Sluice itself has one
_RELEASED_IDLE_MS = 86_400_000
# As scripts/read.lua has them.
_HEADER = (
    *("version", "application", "retention_class", "batch", "part"),
    *("received_at", "event_from", "event_to", "count", "sequence", "traceparent"),
)
_VERSION_DIGITS = 4
_DRAINS = "logs:drains"
_INFLATING = (zlib.error, zstd.ZstdError)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RedisQueue:
    """All queue ports (see ``ports``) on one client. ``wake_seconds``: a submitter is asked to wake a drain at most
    once in this time; 0 for never."""

    def __init__(
        self, client: redis.Redis, *, shard_count: int, backlog_limit_bytes: int = 0, wake_seconds: float = 0
    ) -> None:
        self._client = client
        self._shard_count = shard_count
        self._backlog_limit_bytes = backlog_limit_bytes
        self._scripts: dict[str, Script] = {}
        self._wake_ms = int(wake_seconds * 1000)

    def submit(self, submission: Submission) -> Submitted:
        """See SubmissionQueue.submit."""
        return self.verdict(submission.application_id, self._run("submit", *self.command(submission)))

    def command(self, submission: Submission) -> tuple[list[str | bytes], list[Any]]:
        """Keys and arguments of the script ``submit``."""
        shard = submission.application_id % self._shard_count
        batch = submission.batch_id.hex
        limit = self._backlog_limit_bytes // self._shard_count
        arguments: list[Any] = [submission.application_id, limit, self._share(), submission.body_hash]
        arguments += [REPLAY_SECONDS if submission.is_idempotent else 0, self._wake_ms]
        received_at = microseconds(submission.received_at)
        version = max((part.version for part in submission.parts), default=LINES_VERSION)
        arguments += [version, batch.encode(), received_at, submission.retention_class]
        arguments.append(submission.traceparent or b"")
        for part in submission.parts:
            bounds = [microseconds(part.event_from), microseconds(part.event_to)]
            arguments += [part.record_count, *bounds, b"%d" % part.line_bytes, part.packed]
        return _keys(shard, batch), arguments

    def single_command(self, application_id: int, retention_class: int) -> tuple[list[str | bytes], list[Any]]:
        """The same for any batch of one record that cannot come again. BLANK are its body hash, its id, the times of
        receipt and, twice, of the event, the bytes of its lines, and these as they are packed."""
        shard = application_id % self._shard_count
        limit = self._backlog_limit_bytes // self._shard_count
        arguments: list[Any] = [application_id, limit, self._share(), BLANK, 0, self._wake_ms]
        arguments += [LINES_VERSION, BLANK, BLANK, retention_class, b"", 1, BLANK, BLANK, BLANK, BLANK]
        return _keys(shard, ""), arguments

    def verdict(self, application_id: int, answer: bytes) -> Submitted:
        """What the script's answer says. Raises as SubmissionQueue.submit does."""
        submitted = _verdict(answer, self._share())
        if submitted is Submitted.UNATTENDED and not self._may_wake(application_id % self._shard_count):
            return Submitted.QUEUED
        return submitted

    def _share(self) -> int:
        """Bytes of the backlog that one application may take."""
        return min(self._backlog_limit_bytes // self._shard_count, int(self._backlog_limit_bytes * _APPLICATION_SHARE))

    def _may_wake(self, shard: int) -> bool:
        """A wake is for all shards, and shard 0 keeps the time of the last: the others, whose scripts cannot look there
        (it may be on another node), ask now."""
        if shard == 0:
            return True
        with contextlib.suppress(redis.RedisError):
            return bool(self._client.set(_woken(0), 1, nx=True, px=self._wake_ms))
        return False

    def claim(self, shard: int, *, min_idle_seconds: float, max_records: int, max_bytes: int) -> Claim:
        """See DrainQueue.claim."""
        arguments = [GROUP, CONSUMER, int(min_idle_seconds * 1000), max_records, max_bytes]
        headers, reclaimed_count, vanished_count = self._run("claim", [_stream(shard)], arguments)
        entries = (
            ClaimedEntry(entry_id, int(application) if application else None, count, size, deliveries, batch or None)
            for entry_id, application, count, size, deliveries, batch in json.loads(headers)
        )
        return Claim(tuple(entries), reclaimed_count, vanished_count)

    def start(self, shard: int, entries: Sequence[ClaimedEntry]) -> None:
        """See DrainQueue.start."""
        for deliveries in {entry.deliveries for entry in entries}:
            equals = [entry for entry in entries if entry.deliveries == deliveries]
            self._set_pending(shard, equals, idle_ms=0, deliveries=deliveries)

    def release(self, shard: int, entries: Sequence[ClaimedEntry], *, is_forgiven: bool) -> None:
        """See DrainQueue.release."""
        if entries:
            self._set_pending(shard, entries, idle_ms=_RELEASED_IDLE_MS, deliveries=0 if is_forgiven else None)

    def _set_pending(
        self, shard: int, entries: Sequence[ClaimedEntry], *, idle_ms: int, deliveries: int | None
    ) -> None:
        ids: list[Any] = [entry.entry_id for entry in entries]
        with translated():
            try:
                self._client.xclaim(
                    *(_stream(shard), GROUP, CONSUMER, 0, ids), idle=idle_ms, retrycount=deliveries, justid=True
                )
            except redis.ResponseError as error:
                if not str(error).startswith("NOGROUP"):  # without a group everything is claimable anyhow
                    raise

    def note_start(self, *, is_woken: bool) -> None:
        """See DrainQueue.note_start."""
        with contextlib.suppress(redis.RedisError):
            self._client.hset(_DRAINS, "woken" if is_woken else "started", microseconds(datetime.now(UTC)))

    def attend(self, seconds: float) -> None:
        """See DrainQueue.attend."""
        for shard in range(self._shard_count):
            with contextlib.suppress(redis.RedisError):  # at maxmemory, too
                self._client.set(_attended(shard), 1, px=int(seconds * 1000))

    def leave(self) -> None:
        """See DrainQueue.leave."""
        for shard in range(self._shard_count):
            with contextlib.suppress(redis.RedisError):
                self._client.delete(_attended(shard))

    def trim(self, shard: int) -> None:
        """See DrainQueue.trim."""
        self._run("trim", [_stream(shard)], [GROUP])

    def count_entries(self, shard: int) -> int:
        """See DrainQueue.count_entries."""
        with translated():
            return int(self._client.xlen(_stream(shard)))

    def shards(self) -> list[int]:
        """See DrainQueue.shards. Whether a shard was ever used shows in its accepted counters, which stay."""
        used = range(self._shard_count)
        others = range(self._shard_count, MAX_SHARDS)
        with translated():
            pipeline = self._client.pipeline(transaction=False)
            for shard in others:
                pipeline.exists(_accepted(shard))
            return [*used, *compress(others, pipeline.execute())]

    def read(self, shard: int, entry_ids: Sequence[str]) -> list[StreamEntry | UnreadableEntry]:
        """See ChunkQueue.read."""
        answer, payload = self._run("read", [_stream(shard)], [entry_id.encode() for entry_id in entry_ids])
        headers = json.loads(answer)
        newer = {entry_id for entry_id, version, *_ in headers if _is_newer(version)}
        try:
            found: list[StreamEntry | UnreadableEntry] = list(_unpack(shard, headers, memoryview(payload), newer))
        except (ValueError, OverflowError, *_INFLATING):  # one that nobody of ours wrote, or that is damaged
            found = self._read_each(shard, [entry_id for entry_id in entry_ids if entry_id not in newer])
        if newer:
            raise NewerEntriesError(f"{len(newer)} entries, {min(newer)} for one, have newer versions", found)
        return found

    def _read_each(self, shard: int, entry_ids: Sequence[str]) -> list[StreamEntry | UnreadableEntry]:
        """The same in the form that shows what is wrong with an entry."""
        with translated():
            pipeline = self._client.pipeline(transaction=False)
            for entry_id in entry_ids:
                pipeline.xrange(_stream(shard), entry_id, entry_id)
            found = pipeline.execute()
        return [_read_entry(shard, *entries[0]) for entries in found if entries]

    def acknowledge(self, shard: int, entries: Sequence[StreamEntry | UnreadableEntry]) -> int:
        """See ChunkQueue.acknowledge."""
        if not entries:
            return 0
        arguments: list[Any] = [GROUP]
        for entry in entries:
            header = entry if isinstance(entry, StreamEntry) else entry.header
            account = (header.application_id, b"%d" % header.size_bytes) if header else ("", 0)
            arguments += [entry.entry_id.encode(), *account]
        return int(self._run("acknowledge", [_stream(shard), _backlog(shard), stored_key(shard)], arguments))

    def accepted(self) -> dict[tuple[int, int], int]:
        """See QueueLedger.accepted."""
        counters: dict[tuple[int, int], int] = {}
        for shard in self.shards():
            with translated():
                shard_counters = self._client.hgetall(_accepted(shard))
            counters |= {(int(application), shard): int(last) for application, last in shard_counters.items()}
        return counters

    def queued_ranges(self) -> list[QueuedRange]:
        """See QueueLedger.queued_ranges."""
        return [queued for shard in self.shards() for queued in self._shard_ranges(shard)]

    def inspect(self, shard: int, *, max_entries: int, max_pending: int) -> ShardState:
        """See QueueInspection.inspect."""
        keys = [_stream(shard), _accepted(shard), _backlog(shard)]
        answer = self._run("inspect", keys, [GROUP, max_pending, _MAX_CONSUMERS])
        return read_state(shard, answer, islice(self._headers(shard), max_entries))

    def drain_state(self) -> DrainState:
        """See QueueInspection.drain_state."""
        with translated():
            is_lingering = bool(self._client.exists(_attended(0)))
            moments = self._client.hmget(_DRAINS, "woken", "started")
        return DrainState(is_lingering, *(None if text is None else _moment(text) for text in moments))

    def _shard_ranges(self, shard: int) -> Iterator[QueuedRange]:
        for _, *numbers, batch in self._headers(shard):
            application, sequence, count = map(read_number, numbers)
            if application is not None and sequence is not None and count:
                yield QueuedRange(application, shard, sequence, count, _batch_id(batch))

    def _headers(self, shard: int) -> Iterator[list[bytes]]:
        """Id, application, sequence, count and batch of all entries, oldest first; "" for what an entry does not
        have."""
        start: str | bytes = "-"
        while page := self._run("ranges", [_stream(shard)], [start, _RANGES_PAGE]):
            yield from page
            start = page[-1][0]

    def _run(self, name: str, keys: Sequence[str | bytes], arguments: Sequence[Any]) -> Any:
        with translated():
            return self.script(name)(keys, arguments)

    def script(self, name: str) -> Script:
        """The one in scripts/ of this name."""
        script = self._scripts.get(name)
        if script is None:
            source = files("sluice.streams").joinpath("scripts", f"{name}.lua").read_text()
            script = self._scripts[name] = Script(self._client, source)
        return script


def microseconds(moment: datetime) -> bytes:
    """Since 1970."""
    return str((moment - _EPOCH) // _MICROSECOND).encode()


def _moment(microseconds: str | bytes) -> datetime:
    return _EPOCH + int(microseconds) * _MICROSECOND


def _stream(shard: int) -> str:
    return f"logs:queue:{{{shard}}}"


def _accepted(shard: int) -> str:
    return f"logs:accepted:{{{shard}}}"


def _backlog(shard: int) -> str:
    return f"logs:backlog:{{{shard}}}"


def stored_key(shard: int) -> str:
    """A hash of how often something of an application was acknowledged: it changes when something was stored."""
    return f"logs:stored:{{{shard}}}"


def _fingerprint(shard: int, batch: str) -> bytes:
    return f"logs:fingerprint:{{{shard}}}:{batch}".encode()


def _keys(shard: int, batch: str) -> list[str | bytes]:
    """Of the script ``submit``."""
    fingerprint = _fingerprint(shard, batch)
    return [_stream(shard), _accepted(shard), _backlog(shard), fingerprint, _attended(shard), _woken(shard)]


def _attended(shard: int) -> str:
    return f"logs:attended:{{{shard}}}"


def _woken(shard: int) -> str:
    return f"logs:woken:{{{shard}}}"


def _verdict(answer: bytes, share: int) -> Submitted:
    match answer:
        case b"queued":
            return Submitted.QUEUED
        case b"unattended":
            return Submitted.UNATTENDED
        case b"replayed":
            return Submitted.REPLAYED
        case b"conflict":
            detail = "this Idempotency-Key was used with another body: use a new key for a new request"
            raise RejectedInput("idempotency_key_reused", detail, status=422)
        case b"too_large":
            detail = (
                f"the request alone takes more than an application's {share} bytes of the queue: send smaller batches"
            )
            raise RejectedInput("batch_too_large", detail, status=413).violating("backlog-share")
        case b"share":
            detail = "this application's share of the queue is used up: slow down and retry"
            raise Throttled("backlog_share_exceeded", detail, retry_after_seconds=10).violating("backlog-share")
        case _:
            error = Unavailable("backlog_full", "the queue is full: retry later", retry_after_seconds=10)
            raise error.violating("backlog")


def _is_newer(version: str) -> bool:
    """Whether only newer functions know it. A number of many digits is nobody's."""
    return version.isdecimal() and len(version) <= _VERSION_DIGITS and int(version) > TABLE_VERSION


def _unpack(
    shard: int, headers: Sequence[Sequence[Any]], payload: memoryview, left_out: Container[str]
) -> Iterator[StreamEntry]:
    """The entries that scripts/read.lua returned. Raises ValueError, OverflowError or an error of inflating if
    one is not as ours are."""
    start = 0
    for entry_id, *values, hash_bytes, record_bytes in headers:
        records = start + hash_bytes
        end = records + record_bytes
        if entry_id not in left_out:
            fields = dict(zip(_HEADER, values, strict=True))
            yield _entry(shard, entry_id, fields, bytes(payload[start:records]), payload[records:end])
        start = end


def _read_entry(shard: int, entry_id: bytes, fields: dict[bytes, bytes]) -> StreamEntry | UnreadableEntry:
    texts = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items()}
    name, header = entry_id.decode(), None
    try:
        size = len(fields[b"records"])
        header = _header(shard, name, texts, fields[b"body_hash"], size)
        return _entry(shard, name, texts, fields[b"body_hash"], memoryview(fields[b"records"]))
    except (KeyError, ValueError, OverflowError, *_INFLATING) as error:
        raw = b" ".join(name + b"=" + value for name, value in fields.items())
        return UnreadableEntry(name, shard, raw, f"{type(error).__name__}: {error}", header)


def _entry(shard: int, entry_id: str, fields: Mapping[str, str], body_hash: bytes, records: memoryview) -> StreamEntry:
    header = _header(shard, entry_id, fields, body_hash, len(records))
    inflated = zlib.decompress(records) if int(fields["version"]) == 1 else zstd.decompress(records)
    found = records_of(inflated, header.record_count)
    if isinstance(found, bytes) and (count_line_feeds(found) != header.record_count or not found.endswith(b"\n")):
        raise ValueError("record count and records differ")
    return replace(header, records=found)


def _header(shard: int, entry_id: str, fields: Mapping[str, str], body_hash: bytes, size_bytes: int) -> StreamEntry:
    """Without records. Raises KeyError, ValueError or OverflowError."""
    return StreamEntry(
        entry_id=entry_id,
        shard=shard,
        application_id=_integer(fields["application"], 31),
        retention_class=_integer(fields["retention_class"], 15),
        batch_id=UUID(fields["batch"]),
        part=_integer(fields["part"], 31),
        received_at=_moment(fields["received_at"]),
        event_from=_moment(fields["event_from"]),
        event_to=_moment(fields["event_to"]),
        body_hash=body_hash,
        record_count=_integer(fields["count"], 31),
        first_sequence=_integer(fields["sequence"], 62),
        records=b"",
        size_bytes=size_bytes,
        traceparent=read_traceparent(fields.get("traceparent")),
    )


def _batch_id(text: bytes) -> UUID | None:
    with contextlib.suppress(ValueError):
        return UUID(text.decode("latin-1"))
    return None


def _integer(text: str, bits: int) -> int:
    number = int(text)
    if not 0 <= number < 2**bits:
        raise ValueError(f"{number} is out of range")
    return number
