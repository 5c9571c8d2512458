"""Request bodies, made before the clock starts: the same for the same seed. Pure."""

import gzip
import json
import random
from enum import StrEnum
from typing import Any

type JsonObject = dict[str, Any]

_BODIES = 32  # distinct ones; requests take turns
_MAX_BYTES = 32 * 1024 * 1024  # of all bodies together: fewer if they are large
_LEVELS = ("DEBUG", "INFO", "INFO", "INFO", "WARNING", "ERROR")
_WORDS = ("order", "payment", "timeout", "user", "cache", "retry", "index", "region", "größe", "李雷", "declined", "ok")
# Of "mixed": most logs are short.
_MIX = ("small",) * 12 + ("medium",) * 5 + ("json-metadata",) * 2 + ("large",)


class Shape(StrEnum):
    """What the logs look like; sizes are of the JSON of one log."""

    small = "small"  # 100 bytes
    medium = "medium"  # 500 bytes
    large = "large"  # 8 KB
    mixed = "mixed"  # 60 % small, 25 % medium, 10 % json-metadata, 5 % large
    json_metadata = "json-metadata"  # 1 KB of nested metadata


def make_bodies(shape: Shape, batch: int, seed: int, *, gzipped: bool) -> list[bytes]:
    """Bodies of `batch` logs each."""
    chance = random.Random(f"{seed} {shape} {batch}")
    bodies: list[bytes] = []
    size = 0
    while len(bodies) < _BODIES and size < _MAX_BYTES:
        text = json.dumps([_log(shape, chance) for _ in range(batch)], separators=(",", ":"), ensure_ascii=False)
        body = text.encode()
        size += len(body)
        bodies.append(gzip.compress(body, compresslevel=3, mtime=0) if gzipped else body)
    return bodies


def _log(shape: str, chance: random.Random) -> JsonObject:
    kind = chance.choice(_MIX) if shape == Shape.mixed else str(shape)
    log: JsonObject = {"level": chance.choice(_LEVELS), "message": _sentence(chance, 5), "service": "load"}
    if kind == "medium":
        log |= {"message": _sentence(chance, 45), "trace_id": f"{chance.getrandbits(128):032x}"}
        log["metadata"] = {"user_id": chance.randrange(10**6), "latency_ms": round(chance.expovariate(0.01), 1)}
    elif kind == "large":
        log["message"] = "\n".join(f"  at {_sentence(chance, 8)}" for _ in range(110))
    elif kind == "json-metadata":
        log["metadata"] = {f"field_{number}": _nested(chance) for number in range(8)}
    return log


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(_WORDS) + str(chance.randrange(1000)) for _ in range(words))


def _nested(chance: random.Random) -> JsonObject:
    inner = {"value": chance.random(), "tags": chance.sample(_WORDS, 3), "ok": chance.random() < 0.5}
    return {"id": chance.getrandbits(48), "name": _sentence(chance, 2), "inner": inner}
