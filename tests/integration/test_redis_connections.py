"""Connections to Redis between one command and the next."""

import os

import pytest
import redis

from sluice.runtime.redis import Script, connect_redis

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


def test_what_fails_is_not_sent_again(redis_client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError):
        Script(redis_client, "#!lua\nredis.call('INCR', KEYS[1])\nerror('no')")(["count"], [])
    assert redis_client.get("count") == b"1"
    assert connected(redis_client)
