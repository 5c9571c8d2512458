"""Templates of stored logs: the census is the ledger's number of stored records, and what fails is made up for."""

import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import cursor

from fakes import NOON
from samples import record, stream_entry
from scratch import Scratch, wait_for_a_lock
from sluice.chunks.model import ChunkResult
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Redrive, Selection
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.errors import Unavailable
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.miner import MAX_TEMPLATES
from sluice.templates.model import OVERFLOW_TEXT
from sluice.templates.ports import Clusterer
from sluice.templates.postgres import PostgresClusterer
from sluice.templates.postgres_audit import Difference, audit_census

POISON = '{"a":"\\u0000"}'
LETTERS = str.maketrans("0123456789", "ghijklmnop")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Workshop:
    """One application, whose logs are clustered and stored."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.application_id = scratch.create_application()
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        self.clusterer = self.new_clusterer()

    def new_clusterer(self, *, max_templates: int = MAX_TEMPLATES) -> PostgresClusterer:
        return PostgresClusterer(Database(self.scratch.url("sluice_writer")), max_templates=max_templates)

    def entry(self, *messages: str, poison: Sequence[int] = (), **fields: Any) -> StreamEntry:
        """One entry; ``fields`` are the entry's, but for level and event_at."""
        own = {name: fields.pop(name) for name in ("level", "event_at") if name in fields}
        lines = [
            pack_record(record(position, message, metadata=POISON if position in poison else "{}", **own))
            for position, message in enumerate(messages)
        ]
        return stream_entry(lines, **{"application_id": self.application_id} | fields)

    def settle(self, *entries: StreamEntry | UnreadableEntry, clusterer: Clusterer | None = None) -> ChunkResult:
        clustered = (clusterer or self.clusterer).cluster(entries)
        return self.store.store(clustered.entries).result

    def differences(self) -> list[Difference]:
        return audit_census(Database(self.scratch.url("sluice_reader")), {self.application_id}, EPOCH)

    def rows(self, sql: str) -> list[Any]:
        return self.scratch.rows(sql, self.application_id)

    def counted(self) -> int:
        ((total,),) = self.rows("SELECT sum(record_count)::int FROM template_counts WHERE application_id = %s")
        return int(total)

    def templates(self) -> list[str]:
        return [text for (text,) in self.rows("SELECT text FROM templates WHERE application_id = %s ORDER BY number")]

    def repair(self) -> int:
        return PostgresClusterer(Database(self.scratch.url("sluice_indexer"))).repair()


@pytest.fixture
def workshop(scratch: Scratch) -> Workshop:
    return Workshop(scratch)


def test_rows_say_their_template_and_are_counted_by_it(workshop: Workshop) -> None:
    noon = NOON.replace(second=59)
    received_at = datetime.now(UTC)
    workshop.settle(
        workshop.entry("order 1 placed", "order 2 placed", event_at=noon, received_at=received_at),
        workshop.entry(
            "out of memory", level=Level.ERROR, event_at=noon + timedelta(seconds=1), received_at=received_at
        ),
    )
    rows = workshop.rows(
        "SELECT l.message, t.text FROM log_entries l JOIN templates t USING (template_id) WHERE l.application_id = %s"
    )
    assert sorted(rows) == [
        ("order 1 placed", "order <*> placed"),
        ("order 2 placed", "order <*> placed"),
        ("out of memory", "out of memory"),
    ]
    minute = received_at.replace(second=0, microsecond=0)
    counts = "SELECT t.text, c.event_minute, c.received_minute, c.level, c.template_key, c.record_count"
    join = "FROM template_counts c JOIN templates t USING (template_id) WHERE c.application_id = %s ORDER BY 1"
    assert workshop.rows(f"{counts} {join}") == [
        ("order <*> placed", noon.replace(second=0), minute, Level.INFO, 0, 2),
        ("out of memory", noon.replace(second=0) + timedelta(minutes=1), minute, Level.ERROR, 0, 1),
    ]


def test_the_census_is_what_is_stored(workshop: Workshop) -> None:
    """With redeliveries, repetitions, poison, what cannot be read, and what is redriven."""
    first = workshop.entry(*(f"order {n} placed" for n in range(20)), poison=[3, 4])
    assert workshop.settle(first) == ChunkResult(stored=18, dead_lettered=2)
    assert workshop.settle(first) == ChunkResult(redelivered=20)
    assert workshop.settle(replace(first, entry_id="9-1", first_sequence=21)) == ChunkResult(duplicate=20)
    other = replace(first, entry_id="9-2", body_hash=b"o" * 16, first_sequence=41)
    assert workshop.settle(other) == ChunkResult(dead_lettered=20)
    header = replace(workshop.entry("a", "b"), entry_id="9-3", records=b"")
    assert workshop.settle(UnreadableEntry("9-3", 0, b"x", "damaged", header)) == ChunkResult(dead_lettered=2)
    assert (workshop.counted(), workshop.differences()) == (18, [])
    database = Database(workshop.scratch.url("sluice_owner", direct=True))
    ((name,),) = workshop.rows("SELECT name FROM applications WHERE application_id = %s")
    letters = PostgresDeadLetters(database, templates=True)
    assert letters.redrive(Selection(application=name)) == Redrive(redriven=22)
    assert (workshop.counted(), workshop.differences()) == (40, [])
    letters.redrive(Selection(application=name))
    assert (workshop.counted(), workshop.differences()) == (40, [])
    assert workshop.repair() >= 1


def test_the_audit_notices_what_is_not_counted(workshop: Workshop) -> None:
    workshop.store.store([workshop.entry("a", "b")])
    ((difference,), moment) = workshop.differences(), datetime.now(UTC)
    assert (difference.application_id, difference.stored, difference.counted) == (workshop.application_id, 2, 0)
    assert moment - difference.received_from < timedelta(minutes=2)


def test_processes_that_learn_at_the_same_time_learn_the_same(workshop: Workshop) -> None:
    words = [secrets.token_hex(4) for _ in range(40)]
    entries = [workshop.entry(*(f"{'abcdefgh'[n % 8]} {word} began {n}" for n, word in enumerate(words)))] * 4
    found: list[list[int]] = []

    def learn() -> None:
        (clustered,) = workshop.new_clusterer().cluster([entries[0]]).entries
        assert isinstance(clustered, StreamEntry)
        found.append([cluster.template_id for cluster in clustered.clusters])

    threads = [threading.Thread(target=learn) for _ in entries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found[0] == found[1] == found[2] == found[3]
    assert len(workshop.templates()) == len(set(found[0]))


def test_who_waited_for_the_lock_learns_from_what_is_there_by_then(workshop: Workshop) -> None:
    owner = Database(workshop.scratch.url("sluice_owner", direct=True))
    with ThreadPoolExecutor(1) as pool:
        with owner.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7583243, %s)", (workshop.application_id,))
            waiting = pool.submit(workshop.clusterer.cluster, [workshop.entry("shutting down")])
            wait_for_a_lock(workshop.scratch, "advisory")
            add = "INSERT INTO templates (application_id, number, version, text) VALUES (%s, 1, 1, 'shutting down')"
            cursor.execute(add, (workshop.application_id,))
            cursor.execute("INSERT INTO template_sets VALUES (%s, 1)", (workshop.application_id,))
        found = waiting.result(10)
    assert (found.failure, found.learnt_count) == (None, 0)
    assert workshop.templates() == ["shutting down"]


def test_what_was_learnt_and_not_committed_is_forgotten(workshop: Workshop) -> None:
    """A clusterer whose transaction failed must not answer with templates that do not exist."""
    workshop.settle(workshop.entry("the first"))
    later_id = workshop.scratch.create_application()  # applications learn in the order of their ids
    with Database(workshop.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7583243, %s)", (later_id,))
        entries = [workshop.entry("a second", "the first"), workshop.entry("another", application_id=later_id)]
        found = workshop.clusterer.cluster(entries)
    assert isinstance(found.failure, Unavailable)
    assert found.unmined_count == 2
    clustered = found.entries[0]
    assert isinstance(clustered, StreamEntry)
    assert [bool(cluster.template_id) for cluster in clustered.clusters] == [False, True]
    assert workshop.settle(workshop.entry("a second")) == ChunkResult(stored=1)
    assert workshop.templates() == ["the first", "a second"]


def test_logs_are_stored_when_nothing_can_be_learnt_and_get_their_template_later(workshop: Workshop) -> None:
    down = PostgresClusterer(Database("postgresql://nobody@127.0.0.1:9/none"))
    assert workshop.settle(workshop.entry("order 1 placed", "order 2 placed"), clusterer=down) == ChunkResult(stored=2)
    assert (workshop.counted(), workshop.differences()) == (2, [])
    assert workshop.rows("SELECT DISTINCT template_id FROM log_entries WHERE application_id = %s") == [(None,)]
    assert workshop.repair() >= 1
    assert workshop.rows("SELECT count(*) FROM unmined_lines WHERE application_id = %s") == [(0,)]
    resolved = "SELECT count(*) FROM log_entries JOIN template_keys USING (application_id, template_key)"
    assert workshop.rows(f"{resolved} WHERE application_id = %s") == [(2,)]
    workshop.settle(workshop.entry("order 3 placed"))
    assert workshop.templates() == ["order <*> placed"]


def test_a_flood_of_new_messages_is_learnt_bit_by_bit(workshop: Workshop) -> None:
    """Others wait for who learns: what is too much for one transaction is found later."""
    words = [secrets.token_hex(5).translate(LETTERS) for _ in range(2_500)]
    found = workshop.clusterer.cluster([workshop.entry("17 seconds", *words, "17 seconds")])
    assert (found.failure, found.learnt_count, found.unmined_count) == (None, 2_000, 501)
    workshop.store.store(found.entries)
    assert (workshop.counted(), workshop.differences()) == (2_502, [])
    while workshop.repair():
        pass
    found = workshop.clusterer.cluster([workshop.entry("17 seconds", *words)])
    assert (found.learnt_count, found.unmined_count) == (0, 0)
    assert len(workshop.templates()) == 2_501


def test_too_many_templates_share_the_last_one(workshop: Workshop) -> None:
    narrow = workshop.new_clusterer(max_templates=3)
    words = ("alpha", "beta", "gamma", "delta", "epsilon")
    workshop.settle(workshop.entry(*words), clusterer=narrow)
    workshop.settle(workshop.entry("zeta", "eta"), clusterer=narrow)
    assert workshop.templates() == ["alpha", "beta", "gamma", OVERFLOW_TEXT]
    ((overflowed_at,),) = workshop.rows("SELECT overflowed_at FROM template_sets WHERE application_id = %s")
    assert overflowed_at is not None
    assert workshop.differences() == []
    ((count,),) = workshop.rows(
        "SELECT sum(record_count)::int FROM template_counts c JOIN templates t USING (template_id)"
        f" WHERE c.application_id = %s AND t.text = '{OVERFLOW_TEXT}'"
    )
    assert count == 4


def test_lines_beyond_the_limit_wait_for_nobody(workshop: Workshop) -> None:
    """Chunks of a flood of messages that are all different are stored side by side, with their template."""
    narrow = workshop.new_clusterer(max_templates=3)
    workshop.settle(workshop.entry("alpha", "beta", "gamma", "delta"), clusterer=narrow)
    with Database(workshop.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7583243, %s)", (workshop.application_id,))
        for clusterer in (narrow, workshop.new_clusterer(max_templates=3)):
            found = clusterer.cluster([workshop.entry("epsilon", "zeta", "beta")])
            assert (found.failure, found.learnt_count) == (None, 0)
            (entry,) = found.entries
            assert isinstance(entry, StreamEntry)
            first, second, third = (cluster.template_id for cluster in entry.clusters)
            assert first == second != third
    assert workshop.templates() == ["alpha", "beta", "gamma", OVERFLOW_TEXT]


def test_too_many_templates_are_noticed_also_by_lines_that_need_no_new_one(workshop: Workshop) -> None:
    narrow = workshop.new_clusterer(max_templates=3)
    workshop.settle(workshop.entry("17", "alpha", "beta"), clusterer=narrow)
    flag = "SELECT overflowed_at IS NOT NULL, version FROM template_sets WHERE application_id = %s"
    assert workshop.rows(flag) == [(False, 1)]
    for _ in range(2):
        workshop.settle(workshop.entry("gamma"), clusterer=workshop.new_clusterer(max_templates=3))
        assert workshop.rows(flag) == [(True, 2)]
    assert workshop.templates() == [OVERFLOW_TEXT, "alpha", "beta"]


def test_a_chunk_holds_no_count_that_comes_after_what_it_waits_for(workshop: Workshop) -> None:
    received_at, later = datetime.now(UTC), NOON + timedelta(minutes=1)

    def entries() -> list[StreamEntry]:
        return [workshop.entry("a message", event_at=at, received_at=received_at) for at in (later, NOON)]

    def take(open_cursor: cursor, minute: datetime) -> None:
        """Another chunk's count; raises at once if somebody holds the row."""
        open_cursor.execute("SET LOCAL lock_timeout = '500ms'")
        count = "UPDATE template_counts SET record_count = record_count + 1"
        open_cursor.execute(
            f"{count} WHERE application_id = %s AND event_minute = %s", (workshop.application_id, minute)
        )
        assert open_cursor.rowcount == 1

    workshop.settle(*entries())
    with ThreadPoolExecutor(1) as pool:
        with Database(workshop.scratch.url("sluice_owner", direct=True)).transaction() as other:
            take(other, NOON)
            run = pool.submit(workshop.settle, *entries())
            wait_for_a_lock(workshop.scratch, "transactionid")
            take(other, later)
            other.connection.rollback()
        assert run.result(10) == ChunkResult(stored=2)
    assert (workshop.counted(), workshop.differences()) == (4, [])
