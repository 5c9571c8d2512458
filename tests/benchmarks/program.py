"""What the programs of this folder share: servers of their own, and an end that people can read."""

import fcntl
import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest
import redis
from botocore.exceptions import BotoCoreError
from rich.console import Console

from benchmarks.contender import ContenderFailed
from benchmarks.figures import BenchError
from stack import BUILD, Stack, embedded, running_stack

INTERRUPTED = 130  # what shells make of SIGINT
SERVER_LOST = (psycopg2.Error, redis.RedisError, BotoCoreError, http.client.HTTPException, ConnectionError)
console = Console(highlight=False)


@contextmanager
def servers(name: str, *options: str) -> Iterator[Stack]:
    """An empty stack in build/``name``, of one program at a time; ``options`` as running_stack has them.

    At the end it is deleted: it may hold gigabytes. What failed stays for inspection. Raises BenchError if another
    program uses it or it does not start.
    """
    state = BUILD / name
    with state.with_name(f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError(f"another run uses {state}: wait for it to end") from None
        try:
            with running_stack(state, *options) as stack:
                yield stack
        except pytest.fail.Exception as error:
            raise BenchError(str(error)) from error
        embedded("clean", state=state)


def exit_code(name: str, act: Callable[[], None]) -> int:
    """Does the program's work; what ends it early is told in a line."""
    try:
        act()
    except (BenchError, ContenderFailed, *SERVER_LOST) as error:
        console.print(f"{name}: {str(error).strip()}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print(f"{name}: interrupted, nothing is written", style="red")
        return INTERRUPTED
    return 0
