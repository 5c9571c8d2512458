"""F9: keys that are garbage, unknown, or revoked, while Redis or the database is up, down or fresh."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

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


def test_garbage_costs_nothing(
    proxied_platform: Platform, redis_proxy: Proxy, database_proxy: Proxy, scoreboard: Scoreboard
) -> None:
    """Not a byte goes to Redis or the database for a key that was never minted."""
    platform = proxied_platform
    application = platform.create_application()
    body = log_body(1)
    assert platform.post(application.key, body).status == 202
    names_before = set(platform.redis.keys())
    sent_before = (redis_proxy.sent_bytes, database_proxy.sent_bytes)
    keys = list(garbage())
    for key in keys:
        assert platform.post(key, body).status == 401, key
    assert (redis_proxy.sent_bytes, database_proxy.sent_bytes) == sent_before
    assert set(platform.redis.keys()) <= names_before
    platform.drain_until_empty()
    scoreboard.add("F9", "garbage", platform.oracle.judge(), rounds=len(keys), hit=len(keys))


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


def seconds_until_refused(post: Callable[[], int], since: float) -> float:
    while (status := post()) != 401:
        assert status in (202, 503), status
        assert time.monotonic() - since < REVOKED_WITHIN_SECONDS, f"a revoked key still gets {status}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - since


@not_in_smoke
@pytest.mark.parametrize("redis_is", ["up", "down", "restarted"])
def test_revoked(
    proxied_platform: Platform, redis_proxy: Proxy, servers: Stack, scoreboard: Scoreboard, redis_is: str
) -> None:
    """A key in use is refused soon after it was revoked, also where it is remembered; its successor works."""
    platform = proxied_platform
    application = platform.create_application()
    successor = platform.create_key(application.name)
    assert platform.post(application.key, log_body(1)).status == 202
    platform.lambdas.invoke("admin", {"action": "revoke_key", "key_id": application.key.split("_")[1]})
    since = time.monotonic()
    with ExitStack() as outage:
        if redis_is == "down":
            outage.enter_context(redis_proxy.down())
        if redis_is == "restarted":
            servers.kill("redis")
        seconds = seconds_until_refused(lambda: platform.post(application.key, log_body(1)).status, since)
        assert platform.post(successor, log_body(1)).status == (503 if redis_is == "down" else 202)
    platform.drain_until_empty()
    verdict = platform.oracle.judge()
    scoreboard.add("F9", f"revoked, Redis {redis_is}", verdict, rounds=1, hit=1, recovery_seconds=seconds)
    assert verdict.is_clean, verdict
