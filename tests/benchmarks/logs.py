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
from typing import Any, NamedTuple

type JsonObject = dict[str, Any]

UNCOMMON_WORD, COMMON_WORD = "zugzwang", "overflow"  # in 0.01 % and in 3 % of the logs
LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
APPLICATIONS = 8
BATCH = 1_000
_SHARES = (12, 70, 10, 7, 1)  # of the levels
_ID_BYTES = bytes(range(0x80, 0x90))
_ID_CHARACTERS = _ID_BYTES.decode("latin-1")
_HEXADECIMAL = b"0123456789abcdef"
# These stand in a block of rows until it is stored.
_MOMENT, _MINUTE = "<moment of receipt>", "<minute of receipt>"
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
        """A block of rows, with ids of its own, as received at ``moment`` (UTC)."""
        varied = self.vary(seed).replace(_MOMENT.encode(), moment.isoformat().encode())
        return varied.replace(_MINUTE.encode(), f"{moment:%Y-%m-%dT%H:%M}".encode())


def make_logs(count: int, seed: int = 6) -> list[Log]:
    """``count`` logs of several services."""
    chance = random.Random(seed)
    vocabulary = _vocabulary(chance)
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    words = chance.choices(vocabulary, weights, k=4 * count)
    levels = chance.choices(tuple(LEVELS), _SHARES, k=count)
    return [_log(chance, level, words[4 * n : 4 * n + 4]) for n, level in enumerate(levels)]


def _vocabulary(chance: random.Random) -> list[str]:
    """Five thousand words of two to four syllables."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in", "ol", "ust")]
    return ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(5_000)]


def _identity(chance: random.Random, digits: int) -> str:
    return "".join(chance.choices(_ID_CHARACTERS, k=digits))


def _log(chance: random.Random, level: str, words: list[str]) -> Log:
    if chance.random() < 0.0001:
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
    """COPY text with the columns of reference.sql: batches of a thousand, of applications that take turns."""
    chance = random.Random(len(logs))
    lines = []
    for start in range(0, len(logs), BATCH):
        group = logs[start : start + BATCH]
        application, batch_id = start // BATCH % APPLICATIONS + 1, _uuid(chance)
        lines += [_row(log, position, application, batch_id) for position, log in enumerate(group)]
    return Block("".join(lines).encode("latin-1"))


def content_bytes(logs: Sequence[Log]) -> float:
    """Bytes of message and metadata (compact JSON) of the average log."""
    return sum(len(log.message) + len(_json(log.metadata)) for log in logs) / len(logs)


def _uuid(chance: random.Random) -> str:
    return "-".join(_identity(chance, digits) for digits in (8, 4, 4, 4, 12))


def _row(log: Log, position: int, application: int, batch_id: str) -> str:
    fields = (
        *(str(application), str(position), batch_id, _MOMENT, f"{_MINUTE}:{position * 0.059:06.3f}+00", r"\N", "1"),
        *(str(LEVELS[log.level]), r"\N", "0"),
        *(r"\N", log.trace_id, r"\N", r"\N", r"\N", log.host, log.service, r"\N", log.message),
        _json(log.metadata).decode("latin-1"),
    )
    return "\t".join(fields) + "\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("latin-1")
