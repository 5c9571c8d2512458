"""What is erased is gone from tables, objects, dead letters and all that quotes it; nothing else is."""

import json
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from samples import record, submission
from scratch import Scratch, execute_as_superuser
from sluice.archive.lines import text_lines
from sluice.errors import ContractError, RejectedInput
from sluice.filters.postgres import PostgresFilterStore
from sluice.ledger.postgres import PostgresLedger
from sluice.runtime.postgres import Database
from sluice.schema.postgres import SchemaOwner
from sluice.search.model import Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.search.slabs import MEMBERS
from sluice.streams.model import StreamEntry
from sluice.templates.postgres import PostgresClusterer
from vault import NOW, Vault, always

OLD = datetime(2026, 10, 1, 5, tzinfo=UTC)
HOT = NOW - timedelta(days=2)


@pytest.fixture(scope="module")
def archive_database(migrated_database: Callable[..., Scratch]) -> Scratch:
    """Of this module: archiving concerns every partition."""
    return migrated_database(is_partitioned=False)


def a_word() -> str:
    """One that nobody takes for a value."""
    return "".join(secrets.choice("ghklmnprstw") + secrets.choice("iou") for _ in range(8))


_ANOMALY = """
INSERT INTO anomalies (application_id, founder, founded, lead, kind, template_ids, onset, opened_at, last_seen,
                       window_from, window_until, baseline_from, baseline_until, score, observed, expected, sentence,
                       query, samples, members, is_corrected, is_muted)
SELECT %s, 'template', now(), 'template', 'new_template', %s, now(), now(), now(), now(), now(), now(), now(), 1, 1, 0,
       %s, '', '{}', '{}', false, false"""
# Firing, with a rule and a state of its own and an event that was told.
_INCIDENT = """
WITH rule AS (
    INSERT INTO alert_rules (application_id, name, kind, spec, severity)
    VALUES (%(application)s, gen_random_uuid(), %(kind)s, '{}', 'info') RETURNING rule_id
), incident AS (
    INSERT INTO incidents (application_id, rule_id, anomaly_id, fingerprint, status, severity, labels, group_values,
                           rule_name, kind, title, sentence, query, window_from, window_until, opened_at)
    SELECT %(application)s, rule_id, (SELECT max(anomaly_id) FROM anomalies WHERE %(kind)s = 'anomaly'), rule_id,
           'firing', 'info', jsonb_build_object('who', %(quoted)s), %(group)s, 'r', %(kind)s, %(quoted)s, %(quoted)s,
           %(quoted)s, now(), now(), now() FROM rule RETURNING incident_id, rule_id
), state AS (
    INSERT INTO alert_states SELECT rule_id, rule_id, %(group)s, 'firing', now(), incident_id FROM incident)
INSERT INTO alert_events (incident_id, application_id, kind, payload)
SELECT incident_id, %(application)s, 'firing',
       jsonb_build_object('title', %(quoted)s, 'samples', jsonb_build_array(%(quoted)s)) FROM incident"""


class House(Vault):
    """Logs of a person among others', old and new, stored and dead; ``secrets`` are texts that only they hold."""

    slab_members = MEMBERS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.person = f"person-{secrets.token_hex(8)}"
        self.secrets: list[str] = [self.person]
        self.clusterer = PostgresClusterer(self.database("sluice_writer"))

    def logs(self, received_at: datetime, application: int = 0) -> Any:
        """A batch in which every third log is of the person, if it is of the first application."""
        made = []
        for position in range(9):
            is_hers = application == 0 and position % 3 == 0
            note = secrets.token_hex(3_000) if position == 3 else ""  # too long for the row itself
            message = f"letter of {a_word()} {note}" if is_hers else f"Wort {position}"
            if is_hers:
                self.secrets.append(message.split()[2])
            metadata = {"user": {"id": self.person if is_hers else "other"}, "n": position}
            made.append(record(position, message, event_at=received_at, metadata=json.dumps(metadata)))
        return self.entry(self.applications[application], made, received_at)

    def live(self) -> None:
        """Logs everywhere."""
        entries = [self.logs(OLD), self.logs(HOT), self.logs(HOT, application=1)]
        self.store(entry for entry in self.clusterer.cluster(entries).entries if isinstance(entry, StreamEntry))
        bad = [
            record(number, f"bad {who}", metadata=f'{{"user": {{"id": "{who}"}}, "a": "\\u0000"}}')
            for number, who in enumerate((self.person, "other"))
        ]
        self.store([self.entry(self.applications[0], bad, HOT)])
        self.tell()
        filters = PostgresFilterStore(self.database("sluice_indexer"), slab_members=self.slab_members)
        while filters.advance(10_000).entries:
            pass

    def run_sql(self, sql: str, values: dict[str, Any]) -> None:
        """As the owner."""
        with Database(self.scratch.url("sluice_owner", direct=True)).transaction() as cursor:
            cursor.execute(sql, values)

    def tell(self) -> None:
        """An anomaly and incidents about her: by a template that only she has, and as a group of a rule."""
        application_id = self.applications[0]
        templates = self.scratch.rows(
            "SELECT template_id, text FROM templates WHERE application_id = %s", application_id
        )
        template_id, text = next((number, text) for number, text in templates if "letter" in text)
        self.scratch.rows(_ANOMALY, application_id, [template_id], f"“{text}” was never seen before")
        rules = {"threshold": [self.person], "new_template": [str(template_id)], "anomaly": []}
        for kind, group in rules.items():
            quoted = self.person if kind == "threshold" else text
            values = {"application": application_id, "kind": kind, "group": json.dumps(group), "quoted": quoted}
            self.run_sql(_INCIDENT, values)

    def is_hers(self, row: tuple[Any, ...]) -> bool:
        who = json.loads(row[-1]).get("user", {}).get("id")
        return bool(row[0] == self.applications[0] and who == self.person)

    def erase(self, has_time: Callable[[], bool] = always, **members: Any) -> Any:
        event = {"application": self.name(), "metadata": {"user.id": self.person}, **members}
        return self.eraser().erase(event, has_time)

    def traces(self) -> Counter[str]:
        """Where the secrets are: files of the database and objects, read byte by byte."""
        execute_as_superuser(self.scratch.stack, "CHECKPOINT")
        ((oid,),) = self.scratch.rows("SELECT oid FROM pg_database WHERE datname = current_database()")
        base = next(self.scratch.stack.state.rglob(f"base/{oid}"))
        texts = [text.encode() for text in self.secrets]
        found: Counter[str] = Counter()
        names = dict(
            self.scratch.rows(
                "SELECT pg_relation_filenode(oid)::text, relname FROM pg_class WHERE relkind IN ('r','i','t','S')"
            )
        )
        for file in base.iterdir():
            content = file.read_bytes()
            if any(text in content for text in texts):
                found[str(names.get(file.name.partition(".")[0], file.name))] += 1
        for key in self.keys():
            content = b"".join(text_lines(self.objects.get(key) or b""))
            found["objects"] += any(text in content for text in texts)
        return +found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the objects."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def house(archive_database: Scratch, folder: Path) -> House:
    house = House(archive_database, folder)
    house.live()
    house.run()
    return house


class HouseOfSlabs(House):
    """Each filter in a slab of its own."""

    slab_members = 1


@pytest.fixture
def house_of_slabs(archive_database: Scratch, folder: Path) -> HouseOfSlabs:
    house = HouseOfSlabs(archive_database, folder)
    house.live()
    house.run()
    return house


def others(house: House) -> Counter[Any]:
    return Counter({row: count for row, count in house.expected.items() if not house.is_hers(row)})


def test_a_persons_logs_are_gone_and_no_others(house: House) -> None:
    assert house.hot() + house.archived() == house.expected
    receipt = house.erase()["erasure"]
    assert receipt["step"] == "done"
    assert house.hot() + house.archived() == others(house)
    assert receipt["deleted"] == {
        "rows": 3,
        "archived_rows": 3,
        "objects": 1,
        "dead_letters": 1,
        "templates": receipt["deleted"]["templates"],
        "alert_events": 3,
        "findings": 4,
    }
    dead = house.scratch.rows(
        "SELECT status, queued = '', detail = 'erased' FROM dead_letters WHERE application_id = %s ORDER BY position",
        house.applications[0],
    )
    assert dead == [("dropped", True, True), ("open", False, False)]
    assert house.overview().verify({}, always)["problems"] == []


def test_no_trace_is_left_in_any_file(house: House) -> None:
    """Of tables, their TOAST and indexes, filters, templates, dead letters, receipts and objects."""
    house.scratch.rows("ANALYZE")
    before = house.traces()
    assert {"objects", "log_entries_1_20261122", "dead_letters"} <= before.keys()
    assert {"anomalies", "incidents", "alert_events", "alert_states", "pg_statistic"} <= before.keys()
    assert any(name.startswith("pg_toast") for name in before)
    assert "templates" in before or "unmined_lines" in before
    house.secrets = [secret for secret in house.secrets if secret != house.person]
    other = {
        text for text in house.secrets for row in house.hot() if row[0] == house.applications[1] and text in row[-2]
    }
    house.secrets = [text for text in house.secrets if text not in other]
    house.erase()
    SchemaOwner(Database(house.scratch.url("sluice_owner", direct=True))).forget_samples()
    assert house.traces() == {}


def test_incidents_about_a_person_end(house: House) -> None:
    """Rules of other kinds forget them, so that late logs are not held against what is no longer known."""
    house.erase()
    told = house.scratch.rows(
        "SELECT kind, title, status, rule_id IS NULL FROM incidents WHERE application_id = %s ORDER BY kind",
        house.applications[0],
    )
    assert told == [
        ("anomaly", "erased", "firing", False),
        ("new_template", "erased", "resolved", True),
        ("threshold", "erased", "resolved", True),
    ]
    house.erase(metadata={}, all=True)
    assert house.scratch.rows(
        "SELECT DISTINCT status FROM incidents WHERE application_id = %s", house.applications[0]
    ) == [("resolved",)]


def test_searches_go_on(house: House) -> None:
    house.erase()
    visible = Visible({house.applications[0]: house.name()})
    reader = PostgresLogReader(house.database("sluice_reader"), visible)
    found = reader.search(parse_query({"q": "wort metadata.user.id:other"}, NOW)).logs
    assert len(found) == 6
    assert reader.search(parse_query({"q": f"metadata.user.id:{house.person}"}, NOW)).logs == []
    filters = house.scratch.rows(
        "SELECT filter IS NULL FROM word_filters WHERE application_id = %s", house.applications[0]
    )
    assert filters == [(True,)]


def test_words_leave_slabs_as_they_leave_filters(house_of_slabs: HouseOfSlabs) -> None:
    """All groups with rows that are erased let everything through from then on, and no others."""
    house = house_of_slabs
    sql = """
        SELECT application_id, slab = decode(repeat('80' || repeat('00', 31), bit_count), 'hex') FROM word_filters
        WHERE application_id = ANY (%s) AND slab IS NOT NULL ORDER BY 1"""
    mine, theirs = house.applications[:2]
    assert house.scratch.rows(sql, [mine, theirs]) == [(mine, False), (theirs, False)]
    house.erase()
    assert house.scratch.rows(sql, [mine, theirs]) == [(mine, True), (theirs, False)]
    reader = PostgresLogReader(house.database("sluice_reader"), Visible({mine: house.name()}))
    assert len(reader.search(parse_query({"q": "wort metadata.user.id:other"}, NOW)).logs) == 6
    assert reader.search(parse_query({"q": f"metadata.user.id:{house.person}"}, NOW)).logs == []


def test_the_ledger_still_says_what_was_stored(house: House) -> None:
    ledger = PostgresLedger(house.database("sluice_reader"), set(house.applications))
    before = ledger.settled({})
    house.erase()
    assert ledger.settled({}) == before


def test_logs_that_are_queued_are_waited_for(house: House) -> None:
    house.queue.submit(submission([record()], application_id=house.applications[0]))
    answer = house.erase()
    assert (answer["waits"], answer["erasure"]["step"]) == (True, "queue")
    assert house.hot() + house.archived() == house.expected
    house.queue.submit(submission([record()], application_id=house.applications[1]))
    assert house.erase()["waits"]
    house.queue._entries.clear()
    house.queue.submit(submission([record()], application_id=house.applications[0]))  # after the request: not meant
    assert house.erase()["erasure"]["step"] == "done"


def test_logs_received_after_the_request_are_not_meant(house: House) -> None:
    house.queue.submit(submission([record()], application_id=house.applications[0]))
    house.erase()
    house.store([house.logs(NOW + timedelta(minutes=1))])
    house.queue._entries.clear()
    house.erase()
    assert sum(house.is_hers(row) for row in house.hot()) == 3


def test_whoever_has_no_time_goes_on_later(house: House) -> None:
    calls = 0
    while house.erase(iter([True, False, False, False]).__next__)["erasure"]["step"] != "done":
        calls += 1
        assert calls < 50
    assert calls > 3
    assert house.hot() + house.archived() == others(house)


def test_a_day_on_its_way_to_the_archive_begins_anew(house: House) -> None:
    house.clock = NOW + timedelta(days=40)
    archive = house.archiver().archive
    opened = archive.open(archive.due(house.clock.date())[0])
    house.archiver()._write(opened, archive.announce(opened), type(house.archiver().run(lambda: False))())
    assert house.traces()["objects"]
    house.erase()
    assert not house.traces()["objects"]  # as the receipt says, without waiting for the next run
    house.run()
    assert house.hot() == {}
    assert house.archived() == others(house)
    assert house.keys() == house.known_keys()
    assert house.overview().verify({}, always)["problems"] == []  # the ledger has the erased rows still


def test_an_application_is_erased_as_a_whole(house: House) -> None:
    house.rehydrator().rehydrate(
        {"application": house.name(), "since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}, always
    )
    receipt = house.erase(metadata={}, all=True)["erasure"]
    left = house.hot() + house.archived()
    assert {row[0] for row in left} == {house.applications[1]}
    assert house.rehydrated() == {}
    assert receipt["deleted"]["rows"] + receipt["deleted"]["archived_rows"] == 18
    for table in ("templates", "template_counts", "unmined_lines"):
        assert house.scratch.rows(f"SELECT FROM {table} WHERE application_id = %s", house.applications[0]) == []


def test_a_new_object_that_cannot_be_read_keeps_the_old_one(house: House) -> None:
    class Forgetful(type(house.objects)):  # type: ignore[misc]
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data[:-1] + b"x")

    honest, house.objects = house.objects, Forgetful(house.folder)
    with pytest.raises(ContractError, match="unreadable_object"):
        house.erase()
    before = house.archived()
    assert sum(map(house.is_hers, before)) == 3
    house.objects = honest
    house.erase()
    assert house.archived() == Counter({row: 1 for row in before if not house.is_hers(row)})


def test_masked_lines_that_wait_are_erased(house: House) -> None:
    """Of logs that were stored while nobody could find their template."""
    line = record(0, "waits", event_at=HOT, metadata=json.dumps({"user": {"id": house.person}}))
    house.store([house.entry(house.applications[0], [line], HOT)])
    house.scratch.rows("UPDATE log_entries SET template_key = 77, template_id = NULL WHERE message = 'waits'")
    waiting = "SELECT masked FROM unmined_lines WHERE application_id = %s AND template_key = 77"
    house.scratch.rows(
        "INSERT INTO unmined_lines (application_id, template_key, masked) VALUES (%s, 77, 'hers')",
        house.applications[0],
    )
    assert house.scratch.rows(waiting, house.applications[0]) == [("hers",)]
    house.erase()
    assert house.scratch.rows(waiting, house.applications[0]) == []


def test_a_receipt_tells_nobody_who_it_was(house: House) -> None:
    receipt = house.erase()["erasure"]
    assert house.person not in json.dumps(receipt)
    assert receipt["metadata_keys"] == ["user.id"]
    (kept,) = house.eraser().receipts({"id": receipt["erasure_id"]}, always)["erasures"]
    assert kept == receipt
    erasure = house.eraser().erasures.all()[0]
    assert erasure.proof() == erasure.checksum
    assert house.erase()["erasure"]["erasure_id"] != receipt["erasure_id"]  # another request, which finds nothing


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"metadata": {}}, "empty_selection"),
        ({"metadata": {"user": 1}}, "invalid_metadata"),
        ({"metadata": ["user"]}, "invalid_metadata"),
        ({"application": "nobody"}, "unknown_application"),
        ({"application": None}, "invalid_application"),
    ],
    ids=str,
)
def test_what_cannot_be_erased(house: House, members: dict[str, Any], code: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        house.erase(**members)
    assert caught.value.code == code
