"""F9: keys that are garbage, unknown, or revoked, while Redis or the database is up, down or fresh."""

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from aws import rest_event
from faults.harness.load import log_body
from faults.harness.platform import PEPPER, Platform
from faults.harness.proxy import Proxy
from faults.harness.scores import Scoreboard
from faults.harness.sizes import SIZE, not_in_smoke
from sluice.applications.keys import mint_key
from stack import Stack

pytestmark = pytest.mark.timeout(300)

REVOKED_WITHIN_SECONDS = 15
CACHED_SECONDS = 9  # longer than any cache believes a key without asking
POLL_SECONDS = 0.25


def garbage() -> Iterator[str]:
    """Keys that are none: by length, by alphabet, by check, by the number of parts."""
    key, parts = mint_key(bytes.fromhex(PEPPER))
    yield from ("", " ", "_", "slc", "slc___", "slc_" + "a" * 8_192, "\x00", "ключ", "' OR 1=1 --", "a" * 8_192)
    yield from (
        key[:-1],
        key + "a",
        key.upper(),
        key.replace("slc", "xlc"),
        f"slc_{parts.key_id}_{parts.secret}_{'a' * 8}",
    )
    for _ in range(200):
        yield secrets.token_urlsafe(secrets.randbelow(96))
        yield f"slc_{secrets.token_hex(8)}_{secrets.token_hex(26)}_{secrets.token_hex(4)}"


def authorizations(key: str) -> Iterator[str]:
    """The header of each scheme, with ``key`` and with what is no base64."""
    encoded = base64.b64encode(b"user:" + key.encode()).decode()
    yield from (f"{scheme} {key}" for scheme in ("Bearer", "Splunk", "ApiKey", "Basic", "Digest"))
    yield from (f"{scheme} {encoded}" for scheme in ("ApiKey", "Basic", "Basic =", ""))


def status_of(platform: Platform, authorization: str) -> int:
    """The answer to a log under this header."""
    event = rest_event("POST", "/api/ingest", log_body(1), headers={"Authorization": authorization})
    return int(platform.lambdas.invoke("ingest", event)["statusCode"])


def test_garbage_costs_nothing(
    proxied_platform: Platform, redis_proxy: Proxy, database_proxy: Proxy, scoreboard: Scoreboard
) -> None:
    """Not a byte goes to Redis or the database for a key that was never minted."""
    platform = proxied_platform
    application = platform.create_application()
    body = log_body(1)
    assert platform.post(application.key, body).status == 202
    names_before = set(platform.redis.keys())
    size_before = platform.redis.dbsize()
    sent_before = (redis_proxy.sent_bytes, database_proxy.sent_bytes)
    keys = list(garbage())
    for key in keys:
        assert platform.post(key, body).status == 401, key
    headers = [header for key in keys[:20] for header in authorizations(key)]
    for header in headers:
        assert status_of(platform, header) == 401, header
    assert (redis_proxy.sent_bytes, database_proxy.sent_bytes) == sent_before
    assert set(platform.redis.keys()) <= names_before
    assert platform.redis.dbsize() <= size_before
    platform.drain_until_empty()
    scoreboard.add("F9", "garbage", platform.oracle.judge(), rounds=len(keys + headers), hit=len(keys + headers))


def test_redis_down(proxied_platform: Platform, redis_proxy: Proxy, scoreboard: Scoreboard) -> None:
    """Keys are told apart by the database: a good one gets 503 from the queue, any other 401."""
    platform = proxied_platform
    application = platform.create_application()
    unknown, _ = mint_key(bytes.fromhex(PEPPER))
    body = log_body(1)
    with redis_proxy.down():
        assert platform.post(application.key, body).status == 503
        assert platform.post(unknown, body).status == 401
        assert platform.post("garbage", body).status == 401
    assert platform.post(application.key, body).status == 202
    platform.drain_until_empty()
    scoreboard.add("F9", "Redis down", platform.oracle.judge(), rounds=1, hit=1)


def test_database_down(proxied_platform: Platform, database_proxy: Proxy, scoreboard: Scoreboard) -> None:
    """A key known good goes on working when all caches have expired; one never seen cannot be judged: 503."""
    platform = proxied_platform
    known, unseen = platform.create_application(), platform.create_application()
    body = log_body(1)
    assert platform.post(known.key, body).status == 202
    with database_proxy.down():
        assert platform.post(known.key, body).status == 202
        if SIZE.name != "smoke":
            time.sleep(CACHED_SECONDS)
        assert platform.post(known.key, body).status == 202
        refused = platform.post(unseen.key, body)
        assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (503, True)
        assert platform.post("garbage", body).status == 401
    assert platform.post(unseen.key, body).status == 202
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F9", "database down", verdict, rounds=1, hit=1)
    assert verdict.is_clean, verdict


def seconds_until_refused(platform: Platform, keys: dict[str, str], since: float) -> float:
    """How long the last of the keys got anything but 401."""
    left = dict(keys)
    while True:
        for why, key in list(left.items()):
            status = platform.post(key, log_body(1)).status
            assert status in (202, 401, 503), (why, status)
            if status == 401:
                del left[why]
        seconds = time.monotonic() - since
        if not left:
            return seconds
        assert seconds < REVOKED_WITHIN_SECONDS, f"not refused after {seconds:.1f} s: {', '.join(left)}"
        time.sleep(POLL_SECONDS)


@not_in_smoke
@pytest.mark.parametrize("redis_is", ["up", "down", "restarted"])
def test_keys_end(
    proxied_platform: Platform, redis_proxy: Proxy, servers: Stack, scoreboard: Scoreboard, redis_is: str
) -> None:
    """Keys in use are refused soon after they were revoked, lost their application, or had their overlap, also where
    they are remembered; successors work."""
    platform = proxied_platform
    shop, disabled = platform.create_application(), platform.create_application()
    keys = {"revoked": shop.key, "disabled": disabled.key, "rotated": platform.create_key(shop.name)}
    assert {platform.post(key, log_body(1)).status for key in keys.values()} == {202}
    with ExitStack() as outage:
        admin = platform.lambdas.invoke
        rotation = {"action": "rotate_key", "key_id": key_id(keys["rotated"]), "overlap_seconds": 1}
        successor = admin("admin", rotation)["key"]
        admin("admin", {"action": "revoke_key", "key_id": key_id(shop.key)})
        admin("admin", {"action": "change_application", "application": disabled.name, "status": "disabled"})
        since = time.monotonic()
        if redis_is == "down":
            outage.enter_context(redis_proxy.down())
        if redis_is == "restarted":
            servers.kill("redis")
        seconds = seconds_until_refused(platform, keys, since)
        assert platform.post(successor, log_body(1)).status == (503 if redis_is == "down" else 202)
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    what = f"revoked, rotated or disabled, Redis {redis_is}"
    scoreboard.add("F9", what, verdict, rounds=len(keys), hit=len(keys), recovery_seconds=seconds)
    assert verdict.is_clean, verdict


def key_id(key: str) -> str:
    return key.split("_")[1]
