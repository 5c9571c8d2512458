"""The shared key cache, in Redis."""

import hmac
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import redis

from sluice.applications.model import KeyRecord, Limits, Scope

LIFETIME = timedelta(seconds=8)


class RedisKeyCache:
    """Keys as tagged JSON under their public id: whoever can write to Redis but does not know the pepper cannot forge
    an entry, and no secret ever stands in a key name or value."""

    def __init__(self, client: redis.Redis, pepper: bytes) -> None:
        self._client, self._pepper = client, pepper

    def fetch_key(self, key_id: str) -> KeyRecord | None:
        """See KeyCache.fetch_key."""
        try:
            raw = self._client.get(_name(key_id))
        except redis.RedisError:
            return None
        if not isinstance(raw, bytes):
            return None
        tag, _, document = raw.partition(b" ")
        if not hmac.compare_digest(tag, self._tag(document)):
            return None
        try:
            key = _from_json(json.loads(document))
        except (ValueError, KeyError, TypeError):  # written by another version
            return None
        return key if key.key_id == key_id else None

    def keep_key(self, key: KeyRecord) -> None:
        """See KeyCache.keep_key."""
        document = json.dumps(_to_json(key)).encode()
        try:
            self._client.set(_name(key.key_id), self._tag(document) + b" " + document, ex=LIFETIME)
        except redis.RedisError:
            return

    def _tag(self, document: bytes) -> bytes:
        return hmac.digest(self._pepper, document, "sha256").hex().encode()


def _name(key_id: str) -> str:
    return f"keys:cache:{key_id}"


def _to_json(key: KeyRecord) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "secret_hash": key.secret_hash.hex(),
        "application_id": key.application_id,
        "application": key.application,
        "retention_class": key.retention_class,
        "scopes": sorted(key.scopes),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "limits": asdict(key.limits),
    }


def _from_json(document: dict[str, Any]) -> KeyRecord:
    expires_at = document["expires_at"]
    return KeyRecord(
        document["key_id"],
        bytes.fromhex(document["secret_hash"]),
        document["application_id"],
        document["application"],
        document["retention_class"],
        frozenset(map(Scope, document["scopes"])),
        datetime.fromisoformat(expires_at) if expires_at else None,
        Limits(**document["limits"]),
    )
