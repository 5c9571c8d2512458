"""Realistic logs of about 230 bytes of message and metadata, the same for the same seed, and varied cheaply. Pure.

Ids are written in sixteen bytes that occur nowhere else (0x80 to 0x8f); one pass over a block turns them into
hexadecimal digits, in another permutation for each block. So every block has ids of its own, at the cost of a copy.
"""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import batched
from typing import Any, NamedTuple

type JsonObject = dict[str, Any]

UNCOMMON_WORD, COMMON_WORD = "zugzwang", "overflow"  # in 0.01 % and in 3 % of the logs
_UNCOMMON = 10_000  # logs, of which one holds that word, at a random place
LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
APPLICATIONS = 8
COLUMNS = """
    application_id, position, batch_id, received_at, event_at, original_length, retention_class, level, severity_number,
    flags, severity_text, trace_id, span_id, session_id, logger, host, service, version, message, metadata"""
LEDGER_COLUMNS = """
    batch_id, part, application_id, shard, retention_class, first_sequence, record_count, stored_count, received_at,
    stream_id, body_hash"""
BATCH = 1_000
_SHARES = (12, 70, 10, 7, 1)  # of the levels
_ID_BYTES = bytes(range(0x80, 0x90))
ID_CHARACTERS = _ID_BYTES.decode("latin-1")
_HEXADECIMAL = b"0123456789abcdef"
_MINUTE = "<minute of receipt>"  # stands in a block of rows until it is stored
_EVENTS = (
    "GET /api/v2/{noun}/{id} returned {status} in {ms} ms for user {user}, upstream {noun}-{small} {words}",
    "order {id} placed by user {user}: {small} items, {amount} EUR, handed to {noun} in {region}, {words}",
    "connection to {noun}-{small}.{region}.internal:{port} timed out after {ms} ms, attempt {small} of 9: {words}",
    "cache miss for {noun}:{id} ({ms} ms), loaded from replica {small} in {region}: {words}",
    "user {user} signed in from 198.51.100.{octet} with session {id}, {words}",
    "job {id} of queue {noun} finished after {ms} ms with {small} retries, {words}",
    "query on {noun} took {ms} ms, {port} rows examined, plan {id}: {words}",
    "payment {id} declined for user {user}: {words}, provider answered {status} in {ms} ms",
    "consumer {noun}-{small} is {port} messages behind in {region}, {words}",
    "retrying {noun} {id} in {ms} ms because {words}",
)
_NOUNS = ("orders", "carts", "invoices", "users", "sessions", "search", "billing", "shipping", "stock", "mail", "media")
_REGIONS = ("eu-north-1", "eu-west-3", "us-west-2", "ap-east-1")
_STATUSES = (200, 200, 200, 201, 204, 301, 404, 409, 500, 503)


class Log(NamedTuple):
    """One log; ids are still in ID_BYTES (as Latin-1 characters)."""

    level: str
    message: str
    service: str
    host: str
    trace_id: str
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes with variable ids."""

    template: bytes

    def vary(self, seed: int) -> bytes:
        """The block with ids of its own for each ``seed``."""
        digits = bytearray(_HEXADECIMAL)
        random.Random(seed).shuffle(digits)
        return self.template.translate(bytes.maketrans(_ID_BYTES, bytes(digits)))

    def rows(self, seed: int, moment: datetime) -> bytes:
        """A block of rows, with ids of its own, as received within the minute of ``moment`` (UTC)."""
        return self.vary(seed).replace(_MINUTE.encode(), f"{moment:%Y-%m-%dT%H:%M}".encode())


def make_logs(count: int, seed: int = 6) -> list[Log]:
    """``count`` logs of several services."""
    chance = random.Random(seed)
    vocabulary = _vocabulary(chance)
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    words = chance.choices(vocabulary, weights, k=4 * count)
    levels = chance.choices(tuple(LEVELS), _SHARES, k=count)
    uncommon = {start + chance.randrange(_UNCOMMON) for start in range(0, count, _UNCOMMON)}
    return [_log(chance, level, words[4 * n : 4 * n + 4], n in uncommon) for n, level in enumerate(levels)]


def _vocabulary(chance: random.Random) -> list[str]:
    """Five thousand words of two to four syllables."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ol", "ust")]
    return ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(5_000)]


def _identity(chance: random.Random, digits: int) -> str:
    return "".join(chance.choices(ID_CHARACTERS, k=digits))


def _log(chance: random.Random, level: str, words: list[str], is_uncommon: bool) -> Log:
    if is_uncommon:
        words = [*words[:3], UNCOMMON_WORD]
    elif chance.random() < 0.03:
        words = [*words[:3], COMMON_WORD]
    noun, region, milliseconds = chance.choice(_NOUNS), chance.choice(_REGIONS), round(chance.lognormvariate(4, 1), 1)
    user, status = chance.randrange(10**6), chance.choice(_STATUSES)
    message = chance.choice(_EVENTS).format(
        noun=noun,
        region=region,
        ms=milliseconds,
        user=user,
        status=status,
        id=_identity(chance, 16),
        small=chance.randint(1, 9),
        amount=f"{chance.lognormvariate(3.5, 1):.2f}",
        port=chance.randrange(1024, 65_536),
        octet=chance.randrange(1, 255),
        words=" ".join(words),
    )
    metadata = {
        "user_id": user,
        "request_id": _identity(chance, 16),
        "duration_ms": milliseconds,
        "status": status,
        "path": f"/api/v2/{noun}/{chance.randrange(10**4)}",
    }
    return Log(level, message, noun, f"{noun}-{chance.randint(1, 20)}", _identity(chance, 32), metadata)


def document(log: Log, moment: datetime) -> JsonObject:
    """The log as a client sends it, which happened at ``moment``."""
    return {"timestamp": moment.isoformat(timespec="milliseconds")} | log._asdict()


def single(log: Log, moment: datetime) -> Block:
    """A request body of one log."""
    return Block(_json(document(log, moment)))


def batch(logs: Sequence[Log], moment: datetime) -> Block:
    """A request body of all these logs, which happened within the second before ``moment``; not compressed yet."""
    times = [moment - timedelta(milliseconds=len(logs) - number) for number in range(len(logs))]
    return Block(_json({"logs": [document(log, time) for log, time in zip(logs, times, strict=True)]}))


def compressed(body: bytes) -> bytes:
    """The body as a client compresses it: gzip at the level that most use."""
    return gzip.compress(body, 6, mtime=0)


def rows(logs: Sequence[Log]) -> Block:
    """COPY text with COLUMNS: batches of a thousand, of applications that take turns."""
    lines = []
    for entry, group in zip(_entries(len(logs)), batched(logs, BATCH, strict=False), strict=True):
        lines += [_row(log, position, entry) for position, log in enumerate(group)]
    return Block("".join(lines).encode("latin-1"))


@cache
def usual_rows(count: int) -> Block:
    """COPY text of ``count`` logs, made once: it takes seconds."""
    return rows(make_logs(count))


def ledger_rows(count: int) -> Block:
    """COPY text with LEDGER_COLUMNS for the batches of ``rows`` of so many logs."""
    counts = f"0\t1\t1\t{BATCH}\t{BATCH}"
    lines = [
        f"{entry.batch_id}\t0\t{entry.application}\t{counts}\t{_time(entry.second)}\t0-{number}\t\\\\x00\n"
        for number, entry in enumerate(_entries(count))
    ]
    return Block("".join(lines).encode("latin-1"))


class _Entry(NamedTuple):
    """A batch of a block of rows, received at ``second`` of its minute."""

    application: int
    batch_id: str
    second: float


def _entries(count: int) -> list[_Entry]:
    chance = random.Random(count)
    numbers = range(-(-count // BATCH))
    return [_Entry(n % APPLICATIONS + 1, _uuid(chance), 1 + 58 * n / len(numbers)) for n in numbers]


def _time(second: float) -> str:
    return f"{_MINUTE}:{second:09.6f}+00"


def content_bytes(logs: Sequence[Log]) -> float:
    """Bytes of message and metadata (compact JSON) of the average log."""
    return sum(len(log.message) + len(_json(log.metadata)) for log in logs) / len(logs)


def _uuid(chance: random.Random) -> str:
    return "-".join(_identity(chance, digits) for digits in (8, 4, 4, 4, 12))


def _row(log: Log, position: int, entry: _Entry) -> str:
    """The row of a log that happened within the second before its batch was received."""
    event_at, received_at = _time(entry.second - 1 + position / BATCH), _time(entry.second)
    fields = (
        *(str(entry.application), str(position), entry.batch_id, received_at, event_at, r"\N", "1"),
        *(str(LEVELS[log.level]), r"\N", "0"),
        *(r"\N", log.trace_id, r"\N", r"\N", r"\N", log.host, log.service, r"\N", log.message),
        _json(log.metadata).decode("latin-1"),
    )
    return "\t".join(fields) + "\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("latin-1")
