"""The dashboard function: its files as a browser gets them, and signing in and out."""

import base64
import gzip
import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import ManualClock, MemoryKeyStore
from samples import PEPPER
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope

app = load_app("dashboard")
SCRIPT = b"console.log(1)"
FROM_PAGE = {"X-Sluice-Page": "1"}


@dataclass
class Browser:
    """Sends requests to the handler and keeps the session's cookie."""

    store: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    clock: ManualClock = field(default_factory=ManualClock)
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        wire = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = rest_event(method, path, wire, headers={"Accept-Encoding": "identity", "Cookie": self.cookie} | named)
        if path.startswith("/assets/"):
            event["requestContext"]["resourcePath"] = "/assets/{name}"
            event["pathParameters"] = {"name": path.removeprefix("/assets/")}
        answer = app.handler(event, LambdaContext())
        self.headers = answer["headers"]
        if "Set-Cookie" in self.headers:
            self.cookie = self.headers["Set-Cookie"].partition(";")[0]
        content = answer["body"].encode()
        return answer["statusCode"], base64.b64decode(content) if answer.get("isBase64Encoded") else content

    def call(self, method: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The same for /api/session, from our own page."""
        status, content = self.send(method, "/api/session", body, **FROM_PAGE, **headers)
        return status, json.loads(content) if content else None

    def make_key(self, *scopes: Scope) -> str:
        text, parts = mint_key(PEPPER)
        self.store.keys[parts.key_id] = KeyRecord(
            parts.key_id, hash_secret(parts.secret, PEPPER), 7, "shop", 1, frozenset(scopes), None
        )
        return text


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Browser:
    browser = Browser()
    lookup = KeyLookup(browser.store, None, PEPPER, browser.clock)
    monkeypatch.setattr(app, "_sessions", lambda: app.Sessions(lookup, PEPPER, browser.clock))
    files = app.Files(tmp_path)
    monkeypatch.setattr(app, "_files", lambda: files)
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "secret.js").write_text("outside")
    (tmp_path / "assets" / "index-1a.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-1a.js.gz").write_bytes(gzip.compress(SCRIPT))
    return browser


def test_the_page_comes_compressed_and_is_checked_each_time(browser: Browser) -> None:
    status, content = browser.send("GET", "/", Accept_Encoding="gzip, br")
    assert (status, gzip.decompress(content)) == (200, b"<!doctype html>")
    assert browser.headers["Content-Type"] == "text/html; charset=utf-8"
    assert browser.headers["Cache-Control"] == "no-cache"
    assert browser.send("GET", "/", If_None_Match=browser.headers["ETag"]) == (304, b"")
    assert browser.send("GET", "/", If_None_Match='"another"') == (200, b"<!doctype html>")


@pytest.mark.parametrize("path", ["/", "/assets/index-1a.js"])
def test_the_browser_is_told_to_trust_nothing_but_our_files(browser: Browser, path: str) -> None:
    browser.send("GET", path)
    policy = browser.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert browser.headers["X-Content-Type-Options"] == "nosniff"
    assert browser.headers["Referrer-Policy"] == "no-referrer"


def test_assets_are_kept_for_ever(browser: Browser) -> None:
    status, content = browser.send("GET", "/assets/index-1a.js", Accept_Encoding="gzip")
    assert (status, gzip.decompress(content)) == (200, SCRIPT)
    assert "immutable" in browser.headers["Cache-Control"]
    assert browser.headers["Vary"] == "Accept-Encoding"
    assert browser.send("GET", "/assets/index-1a.js") == (200, SCRIPT)


@pytest.mark.parametrize("name", ["gone.js", "index-1a.js.gz", "../secret.js", "..%2Fsecret.js", "", "/etc/passwd"])
def test_nothing_else_is_served(browser: Browser, name: str) -> None:
    status, content = browser.send("GET", f"/assets/{name}")
    assert (status, json.loads(content)["code"]) == (404, "unknown_asset")
    assert "immutable" not in browser.headers.get("Cache-Control", "")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.ADMIN])
def test_signing_in_and_out(browser: Browser, scope: Scope) -> None:
    status, session = browser.call("POST", {"key": browser.make_key(scope, Scope.INGEST)})
    assert (status, session["application"], session["scopes"]) == (200, "shop", sorted(["ingest", scope.value]))
    assert browser.headers["Cache-Control"] == "no-store"
    assert browser.call("GET") == (200, session)
    assert browser.call("DELETE") == (204, None)
    assert browser.call("GET")[1]["code"] == "missing_session"


def test_the_cookie_is_out_of_reach(browser: Browser) -> None:
    key = browser.make_key(Scope.READ)
    browser.call("POST", {"key": key}, X_Forwarded_Proto="https")
    attributes = browser.headers["Set-Cookie"].split("; ")[1:]
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(attributes)
    assert key not in browser.headers["Set-Cookie"]
    browser.call("POST", {"key": key}, X_Forwarded_Proto="http")
    assert "Secure" not in browser.headers["Set-Cookie"]


def test_a_session_ends_with_its_key_and_with_time(browser: Browser) -> None:
    browser.call("POST", {"key": browser.make_key(Scope.READ)})
    browser.clock.advance(13 * 3600)
    assert browser.call("GET")[1]["code"] == "invalid_session"
    browser.call("POST", {"key": browser.make_key(Scope.READ)})
    browser.store.keys.clear()
    browser.clock.advance(timedelta(seconds=20).seconds)
    assert browser.call("GET")[1]["code"] == "invalid_session"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("slc_made_up_key", 401, "invalid_key"),
        ("", 401, "missing_key"),
        (None, 400, "unreadable_key"),
        (7, 400, "unreadable_key"),
        (["slc"], 400, "unreadable_key"),
        ("x" * 129, 400, "unreadable_key"),
    ],
)
def test_what_is_no_key(browser: Browser, key: Any, status: int, code: str) -> None:
    answer = browser.call("POST", {"key": key})
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert browser.cookie == ""


def test_a_senders_key_does_not_sign_in(browser: Browser) -> None:
    status, problem = browser.call("POST", {"key": browser.make_key(Scope.INGEST)})
    assert (status, problem["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_another_sites_page_signs_nobody_in_or_out(browser: Browser, method: str) -> None:
    body = {"key": browser.make_key(Scope.READ)}
    status, content = browser.send(method, "/api/session", body)
    assert (status, json.loads(content)["code"]) == (403, "cross_site_request")
    assert "Set-Cookie" not in browser.headers
    status, content = browser.send(method, "/api/session", body, **FROM_PAGE, Sec_Fetch_Site="cross-site")
    assert (status, json.loads(content)["code"]) == (403, "cross_site_request")
