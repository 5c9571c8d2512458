"""API keys: ``slc_<key id>_<secret>_<check>``.

The check is an HMAC under the deployment's pepper, so a made-up key is refused without any look-up. The secret has
256 random bits, so a fast keyed hash is the right way to keep it.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

_PREFIX = "slc"
_KEY_ID_BYTES = 10  # 16 characters
_KEY_ID = slice(len(_PREFIX) + 1, len(_PREFIX) + 17)
_SECRET_BYTES = 32  # 52 characters
_CHECK_BYTES = 5  # 8 characters: one forged key in 10^12 gets as far as a look-up
_MAX_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The parts of a key whose check is right."""

    key_id: str
    secret: str


def mint_key(pepper: bytes) -> tuple[str, ApiKey]:
    """A new random key: its text, to be shown once, and its parts."""
    key = ApiKey(_encode(secrets.token_bytes(_KEY_ID_BYTES)), _encode(secrets.token_bytes(_SECRET_BYTES)))
    return f"{_PREFIX}_{key.key_id}_{key.secret}_{_check(pepper, key.key_id, key.secret)}", key


def read_key(text: str, pepper: bytes) -> ApiKey | None:
    """The parts of ``text``, or None if it is not a key of this deployment."""
    parts = text.split("_") if len(text) <= _MAX_CHARACTERS and text.isascii() else []
    if len(parts) != 4 or parts[0] != _PREFIX:
        return None
    _, key_id, secret, check = parts
    return ApiKey(key_id, secret) if hmac.compare_digest(check, _check(pepper, key_id, secret)) else None


def claimed_id(text: str) -> str:
    """The key id in ``text``, if it is a key at all; else anything."""
    return text[_KEY_ID]


def hash_secret(secret: str, pepper: bytes) -> bytes:
    """What is kept of a secret: HMAC-SHA256, 32 bytes."""
    return hmac.digest(pepper, secret.encode(), "sha256")


def is_expired(expires_at: datetime | None, now: datetime) -> bool:
    """Whether a key with this expiry is over at ``now`` (both aware)."""
    return expires_at is not None and expires_at.astimezone(UTC) <= now


def _check(pepper: bytes, key_id: str, secret: str) -> str:
    return _encode(hmac.digest(pepper, f"{key_id}_{secret}".encode(), "sha256")[:_CHECK_BYTES])


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower().rstrip("=")
