"""From the key a client sent to the application it speaks for: process cache, then shared cache, then store."""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sluice.applications.credentials import read_credentials
from sluice.applications.keys import ApiKey, claimed_id, hash_secret, is_expired, read_key
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.ports import Clock, KeyCache, KeyStore
from sluice.applications.sessions import Session, is_forgeable, new_session, read_cookie, read_session
from sluice.errors import ContractError, Denied, Unavailable

FRESH = timedelta(seconds=5)
QUICK = timedelta(seconds=1)  # an answer that took longer may be outdated: it is not shared
STALE = timedelta(minutes=10)  # how long a key known good is served while the store cannot be asked
_MAX_REMEMBERED = 10_000
_HOW_TO_SEND = "send your API key as X-API-Key, or as Authorization: Bearer, Splunk, ApiKey or Basic (password)"

_HOW_TO_CHANGE = "changes are not for other sites' pages; with the session's cookie, send X-Sluice-Page: 1"


@dataclass(slots=True)
class _Remembered:
    key: KeyRecord | None
    at: datetime
    digest: bytes = b""  # of the text that was found to be this key


class KeyLookup:
    """Authenticates keys. A revoked key is refused after at most FRESH, QUICK and the shared cache's lifetime."""

    def __init__(self, store: KeyStore, cache: KeyCache | None, pepper: bytes, clock: Clock) -> None:
        self._store, self._cache, self._pepper, self._clock = store, cache, pepper, clock
        self._remembered: dict[str, _Remembered] = {}
        self._salt = os.urandom(16)

    def authenticate(self, text: str | None, scope: Scope) -> KeyRecord:
        """The live key behind ``text``, holding ``scope``.

        Raises Denied ``missing_key``, ``invalid_key`` (401) or ``missing_scope`` (403), and Unavailable when the store
        is down and the key is not remembered; ContractError when the store is of another version (a deployment).
        """
        return _holding(self._live_key(text), scope)

    def admit(self, method: str, headers: Mapping[str, str], *scopes: Scope) -> KeyRecord:
        """The live key of a request, holding one of ``scopes``: the one in its headers (see credentials), else its
        session's.

        Raises what ``authenticate`` and ``session`` do, and Denied ``cross_site_request`` (403) for a change that
        another site's page could have caused.
        """
        sent = read_credentials(headers)
        is_by_cookie = not sent and read_cookie(headers) is not None
        if is_forgeable(method, headers, is_by_cookie=is_by_cookie):
            raise Denied("cross_site_request", _HOW_TO_CHANGE, status=403)
        return _holding(self.session(headers)[0] if is_by_cookie else self._live_key(sent), *scopes)

    def open_session(self, text: str | None) -> tuple[KeyRecord, Session]:
        """A new session of the key ``text``, which needs the scope read or admin. Raises what ``authenticate`` does."""
        key = self._live_key(text)
        if not key.scopes & {Scope.READ, Scope.ADMIN}:
            raise Denied("missing_scope", "this API key has neither the scope 'read' nor 'admin'", status=403)
        return key, new_session(key.key_id, key.expires_at, self._clock())

    def session(self, headers: Mapping[str, str]) -> tuple[KeyRecord, Session]:
        """The live key behind the session's cookie. Raises Denied ``missing_session``, ``invalid_session`` (401), and
        Unavailable and ContractError as ``authenticate`` does."""
        token = read_cookie(headers)
        if not token:
            raise Denied("missing_session", "nobody is signed in")
        session = read_session(token, self._pepper, self._clock())
        key = self._known(session.key_id) if session else None
        if session is None or key is None or is_expired(key.expires_at, self._clock()):
            raise Denied("invalid_session", "this session is over: sign in again")
        return key, session

    def _live_key(self, text: str | None) -> KeyRecord:
        if not text:
            raise Denied("missing_key", _HOW_TO_SEND)
        now = self._clock()
        key = self._verified(text, now) or self._verify(text)
        if key is None or is_expired(key.expires_at, now):
            raise Denied("invalid_key", "this API key is unknown, revoked or expired")
        return key

    def _verified(self, text: str, now: datetime) -> KeyRecord | None:
        """The key, if this very text was verified while what is remembered of it is fresh: a quarter of the work."""
        remembered = self._remembered.get(claimed_id(text))
        if remembered is None or now - remembered.at >= FRESH:
            return None
        return remembered.key if hmac.compare_digest(remembered.digest, self._digest(text)) else None

    def _verify(self, text: str) -> KeyRecord | None:
        sent = read_key(text, self._pepper)
        key = self._find(sent) if sent else None
        if sent and key and (remembered := self._remembered.get(sent.key_id)):
            remembered.digest = self._digest(text)
        return key

    def _digest(self, text: str) -> bytes:
        """Stands for a key's text, so that no secret stays in memory."""
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._salt, digest_size=16).digest()

    def _find(self, sent: ApiKey) -> KeyRecord | None:
        key = self._known(sent.key_id)
        if key is None or not hmac.compare_digest(key.secret_hash, hash_secret(sent.secret, self._pepper)):
            return None
        return key

    def _known(self, key_id: str) -> KeyRecord | None:
        now = self._clock()
        remembered = self._remembered.get(key_id)
        if remembered and now - remembered.at < FRESH:
            return remembered.key
        try:
            key = self._fetch(key_id)
        except (Unavailable, ContractError):
            if remembered and remembered.key and now - remembered.at < STALE:
                return remembered.key
            raise
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key_id] = _Remembered(key, now)
        return key

    def _fetch(self, key_id: str) -> KeyRecord | None:
        cached = self._cache.fetch_key(key_id) if self._cache else None
        if cached is not None:
            return cached
        asked_at = self._clock()
        key = self._store.find_key(key_id)
        if key is not None and self._cache and self._clock() - asked_at <= QUICK:
            self._cache.keep_key(key)
        return key


def _holding(key: KeyRecord, *scopes: Scope) -> KeyRecord:
    if key.scopes.isdisjoint(scopes):
        named = " or ".join(repr(scope.value) for scope in scopes)
        raise Denied("missing_scope", f"this API key lacks the scope {named}", status=403)
    return key
