"""Malformed request bodies for both doors: seeded, so that a failure can be repeated by its number."""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from backports import zstd

from otlp import JSON, PROTOBUF, json_request, log, nested, protobuf_request

TYPES = ("", "application/json", "application/x-ndjson", "text/plain", PROTOBUF, "application/x-www-form-urlencoded")
ENCODINGS = ("", "", "", "gzip", "deflate", "zstd", "br", "gzip, gzip", "\x00")
_NASTY = ("\x00", "\ud800", "\udfff", "\\u0000", "\u2028", "\r", "\t", "\\", "é", "🎉", "\ufeff", "\x85")
_NUMBERS = ("1e400", "-1e-400", "9" * 30, "9" * 5_000, "NaN", "-Infinity", "-0.0", "1E+308", "0.1", "7")
_FIELDS = (
    *("message", "msg", "timestamp", "time", "@timestamp", "level", "severity", "severity_number", "severity_text"),
    *("metadata", "trace_id", "host", "hostname", "pid", "service.name", "logs", "event", "name"),
)


class Request(NamedTuple):
    """One request: its number names it."""

    number: int
    path: str
    media_type: str
    encoding: str
    body: bytes


def requests(count: int, seed: int = 0) -> Iterator[Request]:
    """``count`` requests; number ``n`` is the same whatever ``count`` is."""
    for number in range(count):
        chance = random.Random(f"{seed}-{number}")
        path = chance.choice(("/api/ingest", "/api/ingest", "/v1/logs"))
        types = (PROTOBUF, JSON) if path == "/v1/logs" and chance.random() < 0.9 else TYPES
        media_type = chance.choice(types)
        body = _body(chance, path, media_type)
        encoding = chance.choice(ENCODINGS)
        if chance.random() < 0.3:
            body, encoding = _packed(chance, body, encoding)
        yield Request(number, path, media_type, encoding, body)


def _body(chance: random.Random, path: str, media_type: str) -> bytes:
    if chance.random() < 0.02:
        return _large(chance)
    if path == "/v1/logs":
        make = protobuf_request if media_type == PROTOBUF else json_request
        body = make([_otlp_log(chance) for _ in range(chance.randint(0, 5))], {"service.name": "s"})
    else:
        documents = [_json(chance, _record(chance)) for _ in range(chance.randint(0, 5))]
        body = chance.choice(("\n", "", ",", "\r\n")).join(documents).encode("utf-8", "surrogatepass")
        if chance.random() < 0.4:
            body = b"[" + b",".join(item.encode("utf-8", "surrogatepass") for item in documents) + b"]"
    return _mutated(chance, body) if chance.random() < 0.6 else body


_LARGE: tuple[Callable[[], bytes], ...] = (
    lambda: b"[" * 100_000,
    lambda: b'{"a":' * 100_000,
    lambda: b'{"message":"m","metadata":' + b'{"k":' * 2_000 + b"1" + b"}" * 2_002,
    lambda: b'{"message":"m","metadata":{"n":' + b"9" * 200_000 + b"}}",
    lambda: b'{"message":"m",' + b'"k":1,' * 50_000 + b'"k":2}',
    lambda: b'{"message":"' + b"x" * 10_000_000 + b'"}',
    lambda: b"\n" * 1_000_000,
    lambda: b"x\n" * 200_000,
    lambda: b"\x0a\x00" * 600_000,
    lambda: nested(1, nested(2, nested(2, b"\x32\x00" * 100_000))),
    lambda: gzip.compress(b"\0" * 30_000_000, 1),
    lambda: zstd.compress(b"\0" * 30_000_000, 1),
    lambda: gzip.compress(b"") * 200,
    lambda: json.dumps([{"message": "m"}] * 10_001).encode(),
)


def _large(chance: random.Random) -> bytes:
    return chance.choice(_LARGE)()


def _record(chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return _value(chance, 3)
    record = {name: _value(chance, 3) for name in chance.sample(_FIELDS, chance.randint(0, 6))}
    return record if chance.random() < 0.3 else {"message": _text(chance)} | record


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.randint(0, 7 if depth else 5)
    if kind == 6:
        return [_value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    if kind == 7:
        return {_text(chance): _value(chance, depth - 1) for _ in range(chance.randint(0, 4))}
    return (None, True, chance.randint(-(2**70), 2**70), chance.uniform(-1e3, 1e20), _text(chance), float("nan"))[kind]


def _text(chance: random.Random) -> str:
    return "".join(
        chance.choice((*_NASTY, "a", "b", " ", "1", "2026-03-01T12:00:00Z")) for _ in range(chance.randint(0, 9))
    )


def _json(chance: random.Random, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    return text.replace("true", chance.choice(_NUMBERS)) if chance.random() < 0.5 else text


def _otlp_log(chance: random.Random) -> dict[str, Any]:
    return log(
        _otlp_value(chance, 3),
        time=chance.choice((0, 1, 2**63, 2**64 - 1, 1_772_366_400_000_000_000)),
        severity_number=chance.randint(0, 24),
        severity_text=_clean(chance),
        attributes={_clean(chance): _otlp_value(chance, 3) for _ in range(chance.randint(0, 5))},
        trace_id=chance.randbytes(chance.choice((0, 8, 16, 17))),
        event_name=_clean(chance),
    )


def _otlp_value(chance: random.Random, depth: int) -> Any:
    kind = chance.randint(0, 7 if depth else 5)
    if kind == 6:
        return [_otlp_value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    if kind == 7:
        return {_clean(chance): _otlp_value(chance, depth - 1) for _ in range(chance.randint(0, 4))}
    return (None, True, chance.randint(-(2**63), 2**63 - 1), float("inf"), _clean(chance), chance.randbytes(5))[kind]


def _clean(chance: random.Random) -> str:
    return _text(chance).encode("utf-8", "replace").decode()


def _mutated(chance: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randint(0, 4):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at:]
            case 2:
                changed[at:at] = chance.choice(
                    (b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"{", b"}", b"]", b'"', b"\n")
                )
            case 3:
                del changed[at : at + chance.randint(1, 9)]
            case 4:
                changed[at:at] = changed[: chance.randint(0, 40)]
    return bytes(changed)


def _packed(chance: random.Random, body: bytes, encoding: str) -> tuple[bytes, str]:
    packings: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("gzip", lambda: gzip.compress(body, 1)),
        ("deflate", lambda: zlib.compress(body, 1)),
        ("deflate", lambda: zlib.compress(body, 1, wbits=-15)),
        ("zstd", lambda: zstd.compress(body, 1)),
    )
    name, compress = chance.choice(packings)
    packed = compress()
    if chance.random() < 0.3:
        packed = _mutated(chance, packed)
    return packed, name if chance.random() < 0.8 else encoding
