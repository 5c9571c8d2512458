"""Sessions of the dashboard: a signed cookie instead of the key itself, which the browser then need not keep.

The token is ``<key id>.<expiry, seconds since 1970>.<HMAC-SHA256>``, under a key derived from the deployment's pepper.
It says who signed in and nothing about what they may do: that is looked up with each request, so that a session ends
when its key does.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

COOKIE = "sluice_session"
LIFETIME = timedelta(hours=12)
PAGE_HEADER = "x-sluice-page"  # "1" from our own pages: another site's cannot send it, no CORS answer allows that
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ELSEWHERE = ("cross-site", "same-site")
_MAX_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Session:
    """Whose key it is, and until when (aware, whole seconds)."""

    key_id: str
    expires_at: datetime


def new_session(key_id: str, key_expires_at: datetime | None, now: datetime) -> Session:
    """A session of LIFETIME, or as long as its key lives."""
    end = min(now + LIFETIME, key_expires_at or datetime.max.replace(tzinfo=UTC))
    return Session(key_id, end.astimezone(UTC).replace(microsecond=0))


def sign_session(session: Session, pepper: bytes) -> str:
    """The session's token."""
    claim = f"{session.key_id}.{int(session.expires_at.timestamp())}"
    return f"{claim}.{_signature(claim, pepper)}"


def read_session(token: str, pepper: bytes, now: datetime) -> Session | None:
    """The session of a token, or None if it is not of this deployment, or over."""
    claim, _, signature = token.rpartition(".")
    if len(token) > _MAX_CHARACTERS or not token.isascii():
        return None
    if not hmac.compare_digest(signature, _signature(claim, pepper)):
        return None
    key_id, _, seconds = claim.partition(".")
    expires_at = datetime.fromtimestamp(int(seconds), UTC)
    return Session(key_id, expires_at) if now < expires_at else None


def read_cookie(headers: Mapping[str, str]) -> str | None:
    """The token in the ``Cookie`` header, or None. ``headers`` finds names in any case. Where two cookies have the
    name, the first counts: browsers send the one of the longer path first."""
    for pair in (headers.get("cookie") or "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value or None
    return None


def session_cookie(session: Session, pepper: bytes, now: datetime, *, path: str, is_secure: bool) -> str:
    """The ``Set-Cookie`` that begins a session: out of reach of scripts and of other sites' requests."""
    seconds = int((session.expires_at - now).total_seconds())
    return _cookie(sign_session(session, pepper), seconds, path, is_secure)


def ended_cookie(*, path: str, is_secure: bool) -> str:
    """The ``Set-Cookie`` that makes the browser forget its session."""
    return _cookie("", 0, path, is_secure)


def is_forgeable(method: str, headers: Mapping[str, str], *, is_by_cookie: bool) -> bool:
    """Whether another site's page could have made a browser send this, to change things, with what the browser adds by
    itself: the session's cookie, or the password of ``Authorization: Basic``."""
    if method in _SAFE_METHODS:
        return False
    return headers.get("sec-fetch-site") in _ELSEWHERE or (is_by_cookie and headers.get(PAGE_HEADER) != "1")


def _cookie(value: str, seconds: int, path: str, is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    return f"{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _signature(claim: str, pepper: bytes) -> str:
    """Under a key of its own: what is signed as a session is nothing else that the pepper vouches for."""
    return hmac.digest(hmac.digest(pepper, b"sluice session 1", "sha256"), claim.encode(), "sha256").hex()
