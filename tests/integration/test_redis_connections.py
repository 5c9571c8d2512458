"""Connections to Redis between one command and the next."""

import os
import time
from typing import Any

import pytest
import redis

from sluice.runtime.redis import BLANK, MOMENT_SECONDS, Script, connect_redis

ECHO = "#!lua\nreturn {KEYS[1], ARGV[1], ARGV[2], ARGV[3]}"


def connected(client: redis.Redis) -> int:
    """The id of the connection that the next command would go through."""
    return int(client.client_id())


def test_a_connection_is_used_again(redis_client: redis.Redis) -> None:
    first = connected(redis_client)
    script = Script(redis_client, ECHO)
    for number in range(3):
        assert script(["key"], [b"\0\r\n", "text", number]) == [b"key", b"\0\r\n", b"text", b"%d" % number]
    assert connected(redis_client) == first


def test_one_that_the_server_has_closed_is_replaced_before_a_command_is_lost(
    redis_client: redis.Redis, redis_url: str
) -> None:
    first = connected(redis_client)
    connect_redis(redis_url).client_kill_filter(_id=str(first))
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"
    assert connected(redis_client) != first


def test_one_with_an_answer_that_nobody_read_is_replaced(redis_client: redis.Redis) -> None:
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"
    pool = redis_client.connection_pool
    connection = pool.get_connection()
    connection.send_packed_command((b"ECHO late\r\n",))  # type: ignore[no-untyped-call]
    connection.can_read(1)
    pool.release(connection)
    assert Script(redis_client, ECHO)(["key"], [1, 2, 3])[0] == b"key"


def test_a_forked_process_has_its_own(redis_client: redis.Redis) -> None:
    first = connected(redis_client)
    if (child := os.fork()) == 0:
        os._exit(connected(redis_client) == first)
    assert os.waitpid(child, 0)[1] == 0
    assert connected(redis_client) == first


def test_a_server_that_answered_a_moment_ago_is_not_looked_for(redis_client: redis.Redis, redis_url: str) -> None:
    """One request fails then, as it would a moment earlier; after that a connection is looked at first."""
    script = Script(redis_client, "#!lua\nreturn redis.call('INCR', KEYS[1])")
    assert script(["count"], []) == 1
    pool: Any = redis_client.connection_pool
    pool.release(connection := pool.get_connection())
    assert script(["count"], []) == 2
    connection._sock.shutdown(2)
    with pytest.raises(redis.ConnectionError):
        script(["count"], [])
    assert script(["count"], []) == 3
    connection = pool.get_connection()
    pool.release(connection)
    assert script(["count"], []) == 4
    time.sleep(1.5 * MOMENT_SECONDS)
    connection._sock.shutdown(2)
    assert script(["count"], []) == 5


def test_a_slow_reply_is_slept_over(redis_client: redis.Redis) -> None:
    """However quick the ones before were."""
    script = Script(redis_client, "#!lua\nfor _ = 1, ARGV[1] do redis.call('PING') end return 1")
    for _ in range(20):
        script(["key"], [1])
    started, used = time.perf_counter(), time.process_time()
    script(["key"], [300_000])
    assert time.process_time() - used < 0.3 * (time.perf_counter() - started)


def test_a_prepared_call_is_the_same_call(redis_client: redis.Redis) -> None:
    script = Script(redis_client, ECHO)
    call = script.prepared(["100%"], [BLANK, "%b", BLANK])
    for first, last in ((b"", b"\0\r\n"), (b"%d", b"x" * 100_000)):
        assert call(first, last) == [b"100%", first, b"%b", last]
        redis_client.script_flush()


def test_what_fails_is_not_sent_again(redis_client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        Script(redis_client, "#!lua\nredis.call('INCR', KEYS[1])\nerror('no')")(["count"], [])
    assert redis_client.get("count") == b"1"
    assert connected(redis_client)
