"""One contract for finding templates: the in-memory fake and Postgres through PgBouncer."""

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from uuid import UUID

import pytest

from fakes import MemoryClusterer
from samples import record, stream_entry
from scratch import Scratch
from sluice.entries.packing import pack_record
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.ports import Clusterer
from sluice.templates.postgres import PostgresClusterer


class Workshop:
    """Clusterers that share what they know, and applications."""

    def __init__(self, make: Callable[[], Clusterer], application_ids: Iterator[int]) -> None:
        self.make, self.clusterer = make, make()
        self._application_ids = application_ids

    def new_application(self) -> int:
        return next(self._application_ids)


@pytest.fixture(params=["memory", "postgres"])
def workshop(request: pytest.FixtureRequest) -> Workshop:
    if request.param == "memory":
        memory = MemoryClusterer()
        return Workshop(lambda: memory, count(1))
    scratch: Scratch = request.getfixturevalue("scratch")
    return Workshop(
        lambda: PostgresClusterer(Database(scratch.url("sluice_writer"))), iter(scratch.create_application, None)
    )


def entry(application_id: int, *messages: str) -> StreamEntry:
    lines = [pack_record(record(position, message)) for position, message in enumerate(messages)]
    return stream_entry(lines, application_id=application_id)


def templates(clusterer: Clusterer, application_id: int, *messages: str) -> list[int]:
    (found,) = clusterer.cluster([entry(application_id, *messages)]).entries
    assert isinstance(found, StreamEntry)
    return [cluster.template_id for cluster in found.clusters]


def test_values_do_not_tell_templates_apart_and_words_do(workshop: Workshop) -> None:
    application_id = workshop.new_application()
    first, second, third = templates(
        workshop.clusterer, application_id, "order 17 placed", "order 18 placed", "connection refused by 10.0.0.7"
    )
    assert first == second != third
    assert min(first, third) > 0


def test_every_process_gives_the_same_answers(workshop: Workshop) -> None:
    application_id = workshop.new_application()
    messages = ["user 5 signed in", "cache miss for 7", "payment 8 declined by provider"]
    expected = templates(workshop.clusterer, application_id, *messages)
    assert len(set(expected)) == 3
    assert templates(workshop.make(), application_id, *messages) == expected
    assert templates(workshop.clusterer, application_id, *messages[::-1]) == expected[::-1]


def test_applications_share_nothing(workshop: Workshop) -> None:
    one, other = workshop.new_application(), workshop.new_application()
    (of_one,), (of_other,) = (
        templates(workshop.clusterer, application_id, "shutting down") for application_id in (one, other)
    )
    assert of_one != of_other
    assert templates(workshop.clusterer, one, "shutting down") == [of_one]
    both = workshop.clusterer.cluster([entry(other, "shutting down"), entry(one, "shutting down")]).entries
    assert [of.clusters[0].template_id for of in both if isinstance(of, StreamEntry)] == [of_other, of_one]
    assert len({of.clusters[0].key for of in both if isinstance(of, StreamEntry)}) == 2


def test_entries_stay_in_order_and_what_cannot_be_read_stays_as_it_is(workshop: Workshop) -> None:
    application_id = workshop.new_application()
    bad = UnreadableEntry("1-1", 0, b"\x00garbage", "KeyError")
    good = entry(application_id, "a message", "a message")
    found = workshop.clusterer.cluster([bad, good])
    assert found.entries[0] == bad
    assert found.line_count == 2
    assert isinstance(found.entries[1], StreamEntry)
    assert found.entries[1].batch_id == good.batch_id
    assert len(found.entries[1].clusters) == 2


def test_lines_that_taught_something_are_counted(workshop: Workshop) -> None:
    application_id, word = workshop.new_application(), secrets.token_hex(8)
    assert workshop.clusterer.cluster([entry(application_id, f"{word} began", "nothing")]).learnt_count == 2
    assert workshop.clusterer.cluster([entry(application_id, f"{word} began", "nothing")]).learnt_count == 0


def test_records_that_nobody_packed(workshop: Workshop) -> None:
    """Such as only a fault could queue: they must not hold up the others."""
    lines = [b"garbage\n", b"\xff\xfe\x00\n", b"1\t2\t3" + b"\t\\q\\" * 20 + b"\n", pack_record(record(0, "good"))]
    made = stream_entry(lines, application_id=workshop.new_application(), batch_id=UUID(int=7))
    (found,) = workshop.clusterer.cluster([made]).entries
    assert isinstance(found, StreamEntry)
    assert len(found.clusters) == 4
    assert found.clusters[3].template_id > 0
