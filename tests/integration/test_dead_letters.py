"""Dead letters: redriven exactly once, dropped, and seen by administrators only."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from fakes import ManualClock
from samples import PEPPER, record, submission
from scratch import Scratch
from sluice.applications.keys import hash_secret, mint_key
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresApplications, PostgresKeyStore
from sluice.chunks.postgres import PostgresChunkStore
from sluice.deadletters.model import Redrive, Selection, Status
from sluice.deadletters.postgres import PostgresDeadLetters
from sluice.errors import RejectedInput
from sluice.ledger.audit import audit
from sluice.ledger.model import Totals
from sluice.ledger.postgres import PostgresLedger
from sluice.retention.postgres import PostgresRetention
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.schema.postgres import SchemaOwner
from sluice.streams.redis import RedisQueue
from sluice.templates.postgres_edits import PostgresTemplateEdits

app = load_app("admin")
POISON = '{"a":"\\u0000"}'


class Ward:
    """One application whose records were partly dead-lettered, as the pipeline does it."""

    def __init__(self, scratch: Scratch, redis_url: str) -> None:
        self.scratch = scratch
        self.queue = RedisQueue(connect_redis(redis_url), shard_count=1, backlog_limit_bytes=10**9)
        self.store = PostgresChunkStore(Database(scratch.url("sluice_writer")))
        self.application_id = scratch.create_application()
        ((self.application,),) = scratch.rows(
            "SELECT name FROM applications WHERE application_id = %s", self.application_id
        )
        self.dead_letters = PostgresDeadLetters(self.owner())

    def owner(self) -> Database:
        return Database(self.scratch.url("sluice_owner", direct=True))

    def admit(self, count: int, bad: set[int], **arguments: Any) -> str:
        """Queues and stores one batch with some bad records; returns its id."""
        records = [record(number, metadata=POISON if number in bad else "{}") for number in range(count)]
        sent = submission(records, application_id=self.application_id, **arguments)
        self.queue.submit(sent)
        claim = self.queue.claim(0, min_idle_seconds=0, max_records=10**6, max_bytes=10**9)
        entries = self.queue.read(0, [item.entry_id for item in claim.entries])
        self.store.store(entries)
        self.queue.acknowledge(0, entries)
        return sent.batch_id.hex

    def totals(self) -> Totals:
        ledger = PostgresLedger(Database(self.scratch.url("sluice_reader")), None)
        return audit(self.queue, ledger, {self.application_id})[self.application_id]

    def positions(self, batch_id: str) -> list[int]:
        rows = self.scratch.rows("SELECT position FROM log_entries WHERE batch_id = %s ORDER BY 1", batch_id)
        return [position for (position,) in rows]

    def mine(self, **conditions: Any) -> Selection:
        return Selection(application=self.application, **conditions)

    def letters(self, **conditions: Any) -> list[dict[str, Any]]:
        return self.dead_letters.find(self.mine(**conditions), limit=500, before=None)


@pytest.fixture
def ward(scratch: Scratch, redis_url: str) -> Ward:
    return Ward(scratch, redis_url)


def test_a_redrive_repairs_stores_and_balances(ward: Ward) -> None:
    batch_id = ward.admit(5, {1, 3})
    assert ward.totals() == Totals(accepted=5, stored=3, dead_lettered=2)
    assert ward.dead_letters.redrive(ward.mine()) == Redrive(redriven=2)
    assert ward.positions(batch_id) == [0, 1, 2, 3, 4]
    assert ward.totals() == Totals(accepted=5, stored=5)
    ((metadata, flags),) = ward.scratch.rows(
        "SELECT metadata, flags FROM log_entries WHERE batch_id = %s AND position = 1", batch_id
    )
    assert metadata == {"a": "\ufffd"}
    assert flags


def test_a_second_redrive_finds_nothing(ward: Ward) -> None:
    batch_id = ward.admit(5, {1, 3})
    ward.dead_letters.redrive(ward.mine())
    assert ward.dead_letters.redrive(ward.mine()) == Redrive()
    assert ward.positions(batch_id) == [0, 1, 2, 3, 4]


def test_parallel_redrives_store_each_once(ward: Ward) -> None:
    batch_id = ward.admit(1_000, set(range(1_000)), is_idempotent=True)
    results: list[Redrive] = []
    threads = [
        threading.Thread(target=lambda: results.append(PostgresDeadLetters(ward.owner()).redrive(ward.mine())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.redriven for result in results) == 1_000
    assert ward.positions(batch_id) == list(range(1_000))
    assert ward.totals() == Totals(accepted=1_000, stored=1_000)


def test_redrive_by_reason_time_and_id(ward: Ward) -> None:
    ward.admit(4, {0, 1, 2, 3})
    now = datetime.now(UTC)
    first = ward.letters()[-1]["id"]
    assert ward.dead_letters.redrive(ward.mine(reason="crashed")) == Redrive()
    assert ward.dead_letters.redrive(ward.mine(since=now + timedelta(minutes=1))) == Redrive()
    assert ward.dead_letters.redrive(ward.mine(until=now - timedelta(minutes=1))) == Redrive()
    assert ward.dead_letters.redrive(Selection(application="another")) == Redrive()
    assert ward.dead_letters.redrive(ward.mine(ids=(first,))) == Redrive(redriven=1)
    assert ward.dead_letters.redrive(ward.mine(reason="sqlstate_22p05")) == Redrive(redriven=3)


def test_what_still_fails_stays_open_with_one_attempt_more(ward: Ward) -> None:
    batch_id = ward.admit(2, {0})
    ward.scratch.rows("UPDATE dead_letters SET queued = 'no record of ours' WHERE batch_id = %s", batch_id)
    assert ward.dead_letters.redrive(ward.mine()) == Redrive(failed=1)
    (letter,) = ward.letters()
    assert (letter["status"], letter["attempts"]) == ("open", 2)
    assert ward.totals() == Totals(accepted=2, stored=1, dead_lettered=1)


def test_records_of_a_reused_batch_id_get_ids_of_their_own(ward: Ward) -> None:
    first = submission([record(0)], application_id=ward.application_id)
    ward.admit(2, set(), batch_id=first.batch_id)
    ward.admit(3, set(), batch_id=first.batch_id, body_hash=b"another body....")
    assert ward.totals() == Totals(accepted=5, stored=2, dead_lettered=3)
    assert ward.dead_letters.redrive(ward.mine()) == Redrive(redriven=3)
    assert ward.totals() == Totals(accepted=5, stored=5)
    ids = ward.scratch.rows("SELECT batch_id, position FROM log_entries WHERE application_id = %s", ward.application_id)
    assert len(ids) == len(set(ids)) == 5


def test_a_dropped_letter_is_closed_for_good(ward: Ward) -> None:
    ward.admit(2, {0})
    assert ward.dead_letters.drop(ward.mine()) == 1
    assert ward.dead_letters.drop(ward.mine()) == 0
    assert ward.dead_letters.redrive(ward.mine()) == Redrive()
    assert len(ward.letters(status=Status.DROPPED)) == 1
    assert ward.totals() == Totals(accepted=2, stored=1, dead_lettered=1)


def test_paging_and_showing(ward: Ward) -> None:
    ward.admit(5, {0, 1, 2, 3, 4})
    ids = [letter["id"] for letter in ward.letters()]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 5
    page = ward.dead_letters.find(ward.mine(), limit=2, before=ids[1])
    assert [letter["id"] for letter in page] == ids[2:4]
    assert "\\u0000" in ward.dead_letters.show(ids[0])["queued"]
    with pytest.raises(RejectedInput):
        ward.dead_letters.show(2**60)


class Desk:
    """functions/admin over HTTP."""

    def __init__(self, ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
        owner = ward.owner()
        clock = ManualClock(datetime.now(UTC))
        lookup = KeyLookup(PostgresKeyStore(owner), None, PEPPER, clock)
        self._applications = PostgresApplications(owner)
        admin = app.Admin(
            *(SchemaOwner(owner), self._applications, ward.dead_letters, PEPPER, clock),
            *(PostgresTemplateEdits(owner), PostgresRetention(owner)),
        )
        monkeypatch.setattr(app, "_dependencies", lambda: (admin, lookup))
        self._application = ward.application
        self.key = self.new_key("admin")

    def new_key(self, scope: str) -> str:
        text, key = mint_key(PEPPER)
        self._applications.add_key(
            self._application,
            key_id=key.key_id,
            secret_hash=hash_secret(key.secret, PEPPER),
            scopes=[scope],
            expires_at=None,
        )
        return text

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **arguments: Any
    ) -> tuple[int, Any]:
        resource, _, letter = path.partition("#")
        wire = None if body is None else json.dumps(body).encode()
        event = rest_event(method, resource, wire, headers={"X-API-Key": self.key if key is None else key}, **arguments)
        if letter:
            event["pathParameters"] = {"id": letter}
        answer = app.handler(event, LambdaContext())
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def desk(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(ward, monkeypatch)


def test_http(ward: Ward, desk: Desk) -> None:
    ward.admit(3, {0, 1, 2})
    own = {"application": ward.application}
    status, page = desk.call("GET", "/api/dead-letters", query=own | {"limit": "2"})
    assert (status, len(page["dead_letters"])) == (200, 2)
    status, rest = desk.call("GET", "/api/dead-letters", query=own | {"before": str(page["next_before"])})
    assert [len(rest["dead_letters"]), rest["next_before"]] == [1, None]
    letter_id = rest["dead_letters"][0]["id"]
    status, shown = desk.call("GET", f"/api/dead-letters/{{id}}#{letter_id}")
    assert (status, shown["dead_letter"]["id"]) == (200, letter_id)
    assert desk.call("POST", "/api/dead-letters/drop", {"ids": [letter_id]}) == (200, {"dropped": 1})
    assert desk.call("POST", "/api/dead-letters/redrive", own) == (200, {"redriven": 2, "failed": 0})


UNKNOWN: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/dead-letters", {"query": {"application": "no"}}),
    ("POST", "/api/dead-letters/redrive", {"body": {"application": "no"}}),
    ("POST", "/api/dead-letters/drop", {"body": {"application": "no"}}),
]


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        *(
            (lambda desk, at=at, method=method, given=given: desk.call(method, at, **given), 404, "unknown_application")
            for method, at, given in UNKNOWN
        ),
        (lambda desk: desk.call("GET", "/api/dead-letters", key=""), 401, "missing_key"),
        (lambda desk: desk.call("GET", "/api/dead-letters", key="wrong"), 401, "invalid_key"),
        (lambda desk: desk.call("GET", "/api/dead-letters", key=desk.new_key("read")), 403, "missing_scope"),
        (
            lambda desk: desk.call("POST", "/api/dead-letters/drop", {}, key=desk.new_key("ingest")),
            403,
            "missing_scope",
        ),
        (
            lambda desk: desk.call("POST", "/api/dead-letters/redrive", {"application": "no"}),
            404,
            "unknown_application",
        ),
        (lambda desk: desk.call("POST", "/api/dead-letters/drop", {}), 400, "empty_selection"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive"), 400, "empty_selection"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive", []), 400, "invalid_json"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive", {"ids": ["1"]}), 400, "invalid_ids"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive", {"ids": [2**70]}), 400, "invalid_ids"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive", {"since": "soon"}), 400, "invalid_since"),
        (lambda desk: desk.call("POST", "/api/dead-letters/redrive", {"reason": "a\x00"}), 400, "invalid_reason"),
        (lambda desk: desk.call("GET", "/api/dead-letters", query={"limit": "0"}), 400, "invalid_limit"),
        (lambda desk: desk.call("GET", "/api/dead-letters", query={"before": "x"}), 400, "invalid_before"),
        (lambda desk: desk.call("GET", "/api/dead-letters", query={"status": "lost"}), 400, "invalid_status"),
        (lambda desk: desk.call("GET", "/api/dead-letters/{id}#x"), 400, "invalid_id"),
        (lambda desk: desk.call("GET", "/api/dead-letters/{id}#999999999"), 404, "unknown_dead_letter"),
    ],
)
def test_http_refusals(desk: Desk, call: Callable[[Desk], tuple[int, Any]], status: int, code: str) -> None:
    answered, problem = call(desk)
    assert (answered, problem["code"]) == (status, code)
