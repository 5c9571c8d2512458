"""Scenarios are sent early and looked at later: in between, other tests use the minute that the census takes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from e2e.playing import Played, Sent, scenarios, send, stored, until


@pytest.fixture(scope="session")
def sent(
    url: str, make_key: Callable[..., str], pause: Callable[[str], AbstractContextManager[None]]
) -> Iterator[Sent]:
    """All scenarios, each in an application of its own."""
    all_played = [Played(scenario, url, make_key("ingest", "read")) for scenario in scenarios()]
    with ExitStack() as paused:
        paused.enter_context(pause("watch"))  # which would take the half of the past that it sees for all of it
        counts = [send(each) for each in all_played]
        until(lambda: [stored(each) for each in all_played] == counts)
        # What is received is counted by the minute, and looked at when that has been over for two seconds.
        counting = threading.Timer(65 - time.time() % 60, paused.pop_all().close)
    counting.start()
    yield Sent(all_played, counting)
    counting.join()
