"""HTTP with one connection that is kept open."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import ssl
import time
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed lacks the second
    getproxies_environment,
    proxy_bypass_environment,
)

from sluice_logging.retry import Answer, NoAnswer

_PATH = "/api/ingest"
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_IDLE_SECONDS = 50.0  # load balancers hang up after a minute
_STALE = (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError)


class Transport:
    """Posts to ``{url}/api/ingest``. Certificates are verified; redirects are not followed: they would take the key
    along. Proxies come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and are never used for this machine.

    Raises ValueError for a URL or key that cannot be right.
    """

    def __init__(self, url: str, api_key: str, user_agent: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"SLUICE_URL must be like https://host/path, not {url!r}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("SLUICE_URL must not hold a user or password; the key goes into SLUICE_API_KEY")
        if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("SLUICE_API_KEY holds characters that no key has")
        self._parts = parts
        self._path = parts.path.rstrip("/").removesuffix(_PATH) + _PATH
        self._proxy_headers: dict[str, str] = {}  # for the requests themselves, without a tunnel
        self._headers = {"X-API-Key": api_key, "Content-Type": "application/gzip", "User-Agent": user_agent}
        self._target = self._path
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def post(self, body: bytes, key: str, timeout_seconds: float) -> Answer:
        """One try, but for a kept connection that turns out to be dead: then another on a new one. Raises NoAnswer."""
        try:
            if self._connection is not None and time.monotonic() - self._used_at < _IDLE_SECONDS:
                with suppress(*_STALE):
                    return self._exchange(self._connection, body, key, timeout_seconds)
            self.close()
            self._connection = self._connect(timeout_seconds)
            return self._exchange(self._connection, body, key, timeout_seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NoAnswer(f"{self._parts.hostname}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Closes the connection; the next post opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Drops the connection of before a fork.

        Only the socket is closed: the reader above it has a lock, and the parent's thread may have held that.
        """
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.close()
        self._connection = None

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, key: str, timeout_seconds: float
    ) -> Answer:
        connection.timeout = timeout_seconds
        if connection.sock is not None:
            connection.sock.settimeout(timeout_seconds)
        headers = {**self._headers, **self._proxy_headers, "Idempotency-Key": key}
        # A server that refuses a large body may answer and hang up before it has read it.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", self._target, body, headers)
        response = connection.getresponse()
        content = response.read(_MAX_ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        self._used_at = time.monotonic()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        parts = self._parts
        host = parts.hostname or ""
        proxy = None if _is_loopback(host) else _proxy_for(parts)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            if proxy is None:
                return http.client.HTTPSConnection(host, parts.port, timeout=timeout_seconds, context=context)
            tunnel = http.client.HTTPSConnection(
                proxy.hostname or "", proxy.port or 80, timeout=timeout_seconds, context=context
            )
            tunnel.set_tunnel(host, parts.port, _proxy_headers(proxy))
            return tunnel
        if proxy is None:
            return http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)
        self._target = f"http://{parts.netloc}{self._path}"
        self._proxy_headers = _proxy_headers(proxy)
        return http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout_seconds)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _proxy_for(parts: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for this URL. Raises ValueError for one that is not plain HTTP."""
    proxies = getproxies_environment()
    url = proxies.get(parts.scheme) or proxies.get("all")
    if not url or proxy_bypass_environment(parts.netloc, proxies):
        return None
    proxy = urlsplit(url if "//" in url else f"http://{url}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ValueError(f"a proxy of the kind {proxy.scheme}:// is not supported")
    return proxy


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
