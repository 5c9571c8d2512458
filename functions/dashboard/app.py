"""The dashboard: GET / and /assets/{name}, the files that the build made of web/; and /api/session, signing in.

Promise: the page can do what the API lets its visitor's key do, and nothing else; the key itself is kept nowhere: the
browser gets a signed cookie that scripts cannot read. Nothing is changed in the platform. On failure the client gets
problem+json; asking again is always safe.
"""

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from chalice.app import Request, Response

from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord
from sluice.applications.ports import Clock
from sluice.applications.postgres import PostgresKeyStore
from sluice.applications.redis import RedisKeyCache
from sluice.applications.sessions import Session, ended_cookie, is_forgeable, session_cookie
from sluice.errors import Denied, RejectedInput
from sluice.runtime.http import HttpApi, json_body, json_response
from sluice.runtime.observability import Logger, Metrics, count, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import DashboardSettings

logger = Logger()
metrics = Metrics(namespace="Sluice")
api = HttpApi("dashboard", logger, metrics)

STATIC = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER = "public, max-age=31536000, immutable"  # an asset's name holds a hash of its content
NOT_STORED = {"Cache-Control": "no-store"}
MAX_KEY_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Files:
    """What the build made: index.html, and below assets/ each file twice, plain and with .gz."""

    folder: Path
    _read: dict[str, bytes] = field(default_factory=dict)

    def page(self, request: Request) -> Response:
        """The page; 304 if the browser has it."""
        content = self._content("index.html")
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = HEADERS | {"Cache-Control": "no-cache", "ETag": etag, "Content-Type": TYPES[".html"]}
        if etag in (request.headers.get("if-none-match") or ""):
            return Response(b"", {**headers}, 304)
        return _compressed(request, content, gzip.compress(content, mtime=0), headers)

    def asset(self, request: Request, name: str) -> Response:
        """One of the page's files. Raises RejectedInput ``unknown_asset`` (404)."""
        kind = TYPES.get(Path(name).suffix)
        if kind is None or name not in self._names():
            raise RejectedInput("unknown_asset", "there is no such file: load the page again", status=404)
        headers = HEADERS | {"Cache-Control": FOR_EVER, "Content-Type": kind}
        return _compressed(request, self._content(f"assets/{name}"), self._content(f"assets/{name}.gz"), headers)

    def _names(self) -> set[str]:
        return {path.name for path in (self.folder / "assets").glob("*")}

    def _content(self, path: str) -> bytes:
        if path not in self._read:
            self._read[path] = (self.folder / path).read_bytes()
        return self._read[path]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Signing in and out."""

    lookup: KeyLookup
    pepper: bytes
    clock: Clock

    def begin(self, request: Request) -> Response:
        """Exchanges the key in the body for a cookie. Raises what the look-up does, RejectedInput ``unreadable_key``,
        and Denied ``cross_site_request``: another site must not sign a visitor in, either."""
        _refuse_forgeable(request)
        key = json_body(request).get("key")
        if not isinstance(key, str) or len(key) > MAX_KEY_CHARACTERS:
            raise RejectedInput("unreadable_key", "key must be the text of an API key")
        record, session = self.lookup.open_session(key)
        cookie = session_cookie(session, self.pepper, self.clock(), **_cookie_place(request))
        return _session_response(record, session, {"Set-Cookie": cookie})

    def current(self, request: Request) -> Response:
        """Whose session it is. Raises Denied ``missing_session`` or ``invalid_session``."""
        return _session_response(*self.lookup.session(request.headers))

    def end(self, request: Request) -> Response:
        """Makes the browser forget its session; there need be none. Raises Denied ``cross_site_request``."""
        _refuse_forgeable(request)
        return Response("", {**NOT_STORED, "Set-Cookie": ended_cookie(**_cookie_place(request))}, 204)


def _refuse_forgeable(request: Request) -> None:
    if is_forgeable(request.method, request.headers, is_by_cookie=True):
        raise Denied("cross_site_request", "send X-Sluice-Page: 1, too", status=403)


def _session_response(key: KeyRecord, session: Session, headers: dict[str, str] | None = None) -> Response:
    scopes = sorted(scope.value for scope in key.scopes)
    body = {"application": key.application, "scopes": scopes, "expires_at": session.expires_at}
    return json_response(body, headers=NOT_STORED | (headers or {}))


def _cookie_place(request: Request) -> dict[str, Any]:
    """Where the browser may send the cookie. The whole host: a stage's path is not known behind a proxy."""
    is_secure = (request.headers.get("x-forwarded-proto") or "").lower() == "https"
    return {"path": "/", "is_secure": is_secure}


def _compressed(request: Request, plain: bytes, compressed: bytes, headers: dict[str, str]) -> Response:
    headers = headers | {"Vary": "Accept-Encoding"}
    if "gzip" in (request.headers.get("accept-encoding") or ""):
        return Response(compressed, {**headers, "Content-Encoding": "gzip"})
    return Response(plain, {**headers})


@api.route("GET", "/")
def page(request: Request) -> Response:
    """The dashboard."""
    return _files().page(request)


@api.route("GET", "/assets/{name}")
def asset(request: Request) -> Response:
    """A file of the dashboard."""
    return _files().asset(request, (request.uri_params or {})["name"])


@api.route("POST", "/api/session")
def sign_in(request: Request) -> Response:
    """A session for a key."""
    return _sessions().begin(request)


@api.route("GET", "/api/session")
def show_session(request: Request) -> Response:
    """The session, if there is one."""
    return _sessions().current(request)


@api.route("DELETE", "/api/session")
def sign_out(request: Request) -> Response:
    """Its end."""
    return _sessions().end(request)


@cache
def _files() -> Files:
    return Files(STATIC)


@cache
def _sessions() -> Sessions:
    settings = DashboardSettings.from_env()
    shared = RedisKeyCache(connect_redis(settings.redis_url, timeout_seconds=1), settings.key_pepper)
    store = PostgresKeyStore(Database(settings.database_url))
    return Sessions(KeyLookup(store, shared, settings.key_pepper, utc_now), settings.key_pepper, utc_now)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Entry point of API Gateway (REST, proxy)."""
    count(metrics, "requests", 1)
    return api(event, context)
