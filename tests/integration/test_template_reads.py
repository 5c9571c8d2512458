"""GET and PATCH /api/templates, and logs by template, on real servers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps import load_app
from aws import LambdaContext, rest_event
from desk import Desk
from fakes import NOON
from samples import PEPPER
from sluice.applications.lookup import KeyLookup
from sluice.applications.postgres import PostgresKeyStore
from sluice.entries.model import Level
from sluice.runtime.postgres import Database
from sluice.search.model import Page, Visible
from sluice.search.parse import parse_query
from sluice.search.postgres import PostgresLogReader
from sluice.search.postgres_scan import Budget
from sluice.search.postgres_templates import MAX_RUNS
from sluice.templates.postgres import PostgresClusterer
from sluice.templates.postgres_edits import PostgresTemplateEdits

admin_app = load_app("admin")
TIMES = {"since": "2026-03-01T11:00:00Z", "until": "2026-03-01T13:00:00Z"}  # around samples.NOON


class Shop:
    """An application with logs of three templates."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        self.application_id, self.name = desk.new_application()
        self.key, self.admin_key = desk.new_key(self.name, "read"), desk.new_key(self.name, "read", "admin")
        desk.store(self.application_id, "order 1 placed", "order 2 placed", "order 7 placed")
        desk.store(self.application_id, "out of memory", level=Level.ERROR)
        desk.store(self.application_id, "payment 17 declined after 80 ms", "payment 18 declined after 120 ms")
        owner = Database(desk.scratch.url("sluice_owner", direct=True))
        edits = PostgresTemplateEdits(owner)
        admin = admin_app.Admin(None, None, None, PEPPER, lambda: datetime.now(UTC), edits, None)
        lookup = KeyLookup(PostgresKeyStore(owner), None, PEPPER, lambda: datetime.now(UTC))
        monkeypatch.setattr(admin_app, "_dependencies", lambda: (admin, lookup))

    def get(self, path: str, **parameters: str) -> Any:
        status, answer = self.desk.get(path, self.key, **TIMES | parameters)
        assert status == 200, answer
        return answer

    def list(self, **parameters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/templates", **parameters)["templates"]
        return found

    def ids(self) -> dict[str, int]:
        return {template["text"]: template["id"] for template in self.list(ignored="yes")}

    def change(self, template_id: int, key: str | None = None, **members: Any) -> tuple[int, Any]:
        event = rest_event(
            "PATCH",
            f"/api/templates/{template_id}",
            json.dumps(members).encode(),
            headers={"X-API-Key": key or self.admin_key},
        )
        resource = event["requestContext"]["resourcePath"] = "/api/templates/{id}"
        answer = admin_app.handler(
            event | {"resource": resource, "pathParameters": {"id": str(template_id)}}, LambdaContext()
        )
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def shop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(desk, monkeypatch)


ORDER, MEMORY, PAYMENT = "order <*> placed", "out of memory", "payment <*> declined after <*> ms"


def test_what_logs_say_and_how_often(shop: Shop) -> None:
    answer = shop.get("/api/templates", buckets="4")
    assert [(found["text"], found["count"]) for found in answer["templates"]] == [(ORDER, 3), (PAYMENT, 2), (MEMORY, 1)]
    assert (answer["total"], answer["unclustered"]) == (6, 0)
    assert answer["health"] == [{"application": shop.name, "templates": 3, "overflowed_at": None}]
    order = answer["templates"][0]
    assert order["application"] == shop.name
    assert order["share"] == 0.5
    assert order["levels"] == {"INFO": 3}
    assert order["last_seen"].startswith("2026-03-01T12:00:00")
    assert sum(order["trend"]) == 3
    assert len(order["trend"]) == len(answer["starts"])
    assert order["trend"][answer["starts"].index("2026-03-01T12:00:00+00:00")] == 3
    assert order["example"] in ("order 1 placed", "order 2 placed", "order 7 placed")
    first_seen = datetime.fromisoformat(order["first_seen"])
    assert datetime.now(UTC) - first_seen < timedelta(minutes=5)


def test_which_templates(shop: Shop) -> None:
    assert [found["text"] for found in shop.list(q="DECLINED payment")] == [PAYMENT]
    assert shop.list(q="declined order") == []
    assert len(shop.list(limit="2")) == 2
    assert [found["text"] for found in shop.list(order="first_seen")][-1] == ORDER
    assert shop.list(since="2026-03-01T12:01:00Z") == []
    assert len(shop.list(until="2026-03-01T12:00:00.5Z")) == 3
    status, answer = shop.desk.get("/api/templates", shop.key, application="no-such-application")
    assert (status, answer["code"]) == (400, "unknown_application")
    status, answer = shop.desk.get("/api/templates", shop.key, order="size")
    assert (status, answer["code"]) == (400, "invalid_order")


def test_logs_of_a_template(shop: Shop) -> None:
    payment = shop.ids()[PAYMENT]
    for asked in ({"q": f"template:{payment}"}, {"template": str(payment)}, {"q": f"declined -template:{10**9}"}):
        logs = shop.get("/api/logs", **asked)["logs"]
        assert {log["message"][:10] for log in logs} == {"payment 17", "payment 18"}
        assert {log["template_id"] for log in logs} == {payment}
    assert len(shop.get("/api/logs", q=f"-template:{payment}")["logs"]) == 4
    status, answer = shop.desk.get("/api/logs", shop.key, q="template:order")
    assert (status, answer["code"], answer["position"]) == (400, "invalid_query", 9)
    assert shop.desk.get("/api/logs", shop.key, template="0")[1]["code"] == "invalid_template"


def test_counts_by_template(shop: Shop) -> None:
    ids = shop.ids()
    histogram = shop.get("/api/histogram", by="template")
    counts = {series["value"]: sum(series["counts"]) for series in histogram["series"]}
    assert counts == {str(ids[ORDER]): 3, str(ids[PAYMENT]): 2, str(ids[MEMORY]): 1}
    facet = shop.get("/api/facets", field="template")
    assert facet["values"][0] == {"value": str(ids[ORDER]), "count": 3}
    assert facet["missing_count"] == 0


def test_one_template(shop: Shop) -> None:
    payment = shop.ids()[PAYMENT]
    answer = shop.get(f"/api/templates/{payment}")
    assert answer["template"]["count"] == 2
    assert answer["parameters"]["sampled"] == 2
    number, duration = answer["parameters"]["places"]
    assert number["distinct"] == 2
    assert duration["number"] == {"least": 80, "mean": 100, "most": 120}
    assert {value["value"] for value in duration["top"]} == {"80", "120"}
    assert len(answer["examples"]) == 2
    assert [member["id"] for member in answer["members"]] == [payment]
    for unknown in ("0", "x", str(2**31), "2147483647"):
        status, problem = shop.desk.get(f"/api/templates/{unknown}", shop.key)
        assert (status, problem["code"]) == (404, "unknown_template")


def test_what_a_log_has_in_the_places_of_its_template(shop: Shop) -> None:
    (newest, *_) = shop.get("/api/logs", q="declined")["logs"]
    payment, order = shop.ids()[PAYMENT], shop.ids()[ORDER]
    found = shop.desk.get(f"/api/logs/{newest['id']}", shop.key)[1]["template"]
    assert found == {"id": payment, "text": PAYMENT, "name": None, "values": ["18", "120"]}
    assert shop.change(payment, merged_into=order)[0] == 200
    found = shop.desk.get(f"/api/logs/{newest['id']}", shop.key)[1]["template"]
    assert found == {"id": order, "text": ORDER, "name": None, "values": []}


def test_merged_templates_are_one_everywhere_and_part_again(shop: Shop) -> None:
    ids = shop.ids()
    order, payment = ids[ORDER], ids[PAYMENT]
    status, answer = shop.change(payment, merged_into=order)
    assert (status, answer["template"]["merged_into"]) == (200, order)
    assert [(found["id"], found["count"]) for found in shop.list()] == [(order, 5), (ids[MEMORY], 1)]
    for template in (order, payment):
        assert len(shop.get("/api/logs", q=f"template:{template}")["logs"]) == 5
        assert shop.get(f"/api/templates/{template}")["template"]["id"] == order
    assert shop.get("/api/facets", field="template")["values"][0] == {"value": str(order), "count": 5}
    by_template = shop.get("/api/histogram", by="template")["series"]
    assert sorted(sum(series["counts"]) for series in by_template) == [1, 5]
    changes = shop.get(f"/api/templates/{order}")["changes"]
    assert [(change["template_id"], change["was"], change["became"]) for change in changes] == [
        (payment, {"merged_into": None}, {"merged_into": order})
    ]
    assert shop.change(payment, merged_into=None)[0] == 200
    assert len(shop.list()) == 3
    assert len(shop.get(f"/api/templates/{payment}")["changes"]) == 2


WORDS = ("opened", "closed", "reset", "lost", "stale")
CONNECTION = "connection <*> by user"


def test_what_the_miner_merged_can_be_split_and_be_one_again(shop: Shop) -> None:
    """Ids stay, rows stay, and counts follow: those from before the merge, and those that come."""

    def store(*messages: str) -> None:
        shop.desk.store(shop.application_id, *messages)

    def counts() -> dict[str, int]:
        return {found["text"]: found["count"] for found in shop.list(q="connection")}

    for word in WORDS:
        store(f"connection {word} by user", f"connection {word} by user")
    assert counts() == {CONNECTION: 10}
    merged = shop.ids()[CONNECTION]
    members = {member["text"]: member for member in shop.get(f"/api/templates/{merged}")["members"]}
    closed = members["connection closed by user"]["id"]
    assert members["connection closed by user"] | {"created_at": None} == {
        "id": closed,
        "text": "connection closed by user",
        "created_at": None,
        "merged_into": merged,
        "merged_by": "miner",
        "split": False,
    }
    store("connection closed by user", "connection opened by user")
    status, answer = shop.change(closed, split=True)
    assert (status, answer["template"]["split"], answer["template"]["merged_into"]) == (200, True, None)
    assert counts() == {CONNECTION: 10, "connection closed by user": 2}
    store("connection closed by user", "connection opened by user", "connection closed by user")
    store(*(f"connection {word} by user" for word in ("renewed", "refused", "closed")))
    assert counts() == {CONNECTION: 13, "connection closed by user": 5}
    assert len(shop.get("/api/logs", q=f"template:{closed}")["logs"]) == 5
    (shown,) = shop.get(f"/api/templates/{closed}")["members"]
    assert (shown["split"], shown["merged_into"], shown["merged_by"]) == (True, None, None)
    assert shop.change(closed, split=False)[0] == 200
    assert counts() == {CONNECTION: 18}
    store("connection closed by user")
    assert counts() == {CONNECTION: 19}
    ((stored,),) = shop.desk.scratch.rows(
        "SELECT count(*) FROM log_entries WHERE application_id = %s AND template_id = %s", shop.application_id, closed
    )
    assert stored == 5, "no row is rewritten"
    changes = shop.get(f"/api/templates/{merged}")["changes"]
    assert [(change["was"], change["became"]) for change in changes] == [
        ({"is_split": True}, {"is_split": False}),
        ({"is_split": False}, {"is_split": True}),
    ]


def test_a_process_forgets_within_a_minute_what_was_split(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in WORDS:
        shop.desk.store(shop.application_id, f"connection {word} by user")
    members = shop.get(f"/api/templates/{shop.ids()[CONNECTION]}")["members"]
    (closed,) = (member["id"] for member in members if member["text"] == "connection closed by user")
    now = [0.0]
    clusterer = PostgresClusterer(Database(shop.desk.scratch.url("sluice_writer")), clock=lambda: now[0])
    monkeypatch.setattr("desk.PostgresClusterer", lambda _: clusterer)
    shop.desk.store(shop.application_id, "connection closed by user")  # and now it knows that it is one of them
    shop.change(closed, split=True)
    line, other = "connection closed by user", "nothing of the kind"
    for moment, stored, count in ((59.0, line, 1), (60.0, other, 1), (61.0, line, 2), (62.0, line, 3)):
        now[0] = moment
        shop.desk.store(shop.application_id, stored)
        (found,) = (found for found in shop.list() if found["id"] == closed)
        assert found["count"] == count


def test_a_template_can_be_kept_apart_before_it_is_merged(shop: Shop) -> None:
    shop.desk.store(shop.application_id, *(f"connection {word} by user" for word in WORDS[:4]))
    lost = shop.ids()["connection lost by user"]
    assert shop.change(lost, split=True)[0] == 200
    shop.desk.store(shop.application_id, *(f"connection {word} by user" for word in ("stale", "renewed", "lost")))
    assert {found["text"]: found["count"] for found in shop.list(q="connection")} == {
        CONNECTION: 5,
        "connection lost by user": 2,
    }


def test_what_cannot_be_split(shop: Shop) -> None:
    ids = shop.ids()
    shop.change(ids[PAYMENT], merged_into=ids[ORDER])
    status, answer = shop.change(ids[PAYMENT], split=True)
    assert (status, answer["code"]) == (409, "template_merged")
    for word in WORDS:
        shop.desk.store(shop.application_id, f"connection {word} by user")
    merged = shop.ids()[CONNECTION]
    members = {member["text"]: member["id"] for member in shop.get(f"/api/templates/{merged}")["members"]}
    reset = members["connection reset by user"]
    shop.desk.scratch.rows("UPDATE templates SET text = %s WHERE template_id = %s", CONNECTION, reset)
    status, answer = shop.change(reset, split=True)
    assert (status, answer["code"]) == (409, "invalid_split")
    lost = members["connection lost by user"]
    shop.change(lost, split=True)
    shop.change(merged, merged_into=lost)
    status, answer = shop.change(lost, split=False)
    assert (status, answer["code"]) == (409, "invalid_split")
    assert shop.change(lost, split="yes")[1]["code"] == "invalid_split"


def test_no_circles_and_no_merging_across_applications(shop: Shop) -> None:
    ids = shop.ids()
    shop.change(ids[PAYMENT], merged_into=ids[ORDER])
    for target in (ids[PAYMENT], ids[ORDER]):
        assert shop.change(ids[ORDER], merged_into=target)[1]["code"] == "invalid_merged_into"
    other_id, other = shop.desk.new_application()
    shop.desk.store(other_id, "order 1 placed")
    answer = shop.desk.get("/api/templates", shop.desk.new_key(other, "read"), **TIMES)[1]
    foreign = answer["templates"][0]["id"]
    assert shop.change(ids[MEMORY], merged_into=foreign)[1]["code"] == "invalid_merged_into"
    assert shop.change(ids[MEMORY], merged_into=2**31 - 1)[1]["code"] == "unknown_template"


def test_names_and_what_is_ignored(shop: Shop) -> None:
    memory = shop.ids()[MEMORY]
    assert shop.change(memory, name="  OOM killer ", ignored=True)[1]["template"]["name"] == "OOM killer"
    assert MEMORY not in [found["text"] for found in shop.list()]
    ((found),) = shop.list(ignored="yes", q="oom")
    assert (found["name"], found["ignored"]) == ("OOM killer", True)
    assert shop.get("/api/templates")["total"] == 6
    shop.change(memory, name="OOM killer", ignored=True)
    assert len(shop.get(f"/api/templates/{memory}")["changes"]) == 1


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "empty_change"),
        ({"name": ""}, "invalid_name"),
        ({"name": "a\u0000b"}, "invalid_name"),
        ({"name": "x" * 201}, "invalid_name"),
        ({"ignored": "yes"}, "invalid_ignored"),
        ({"merged_into": "17"}, "invalid_merged_into"),
        ({"text": "mine"}, "unknown_field"),
    ],
)
def test_changes_that_mean_nothing(shop: Shop, members: dict[str, Any], code: str) -> None:
    status, answer = shop.change(shop.ids()[ORDER], **members)
    assert (status, answer["code"]) == (400, code)


def test_who_may_not_change_templates(shop: Shop) -> None:
    assert shop.change(shop.ids()[ORDER], key=shop.key, name="mine")[0] == 403


def test_nobody_reads_another_applications_templates(shop: Shop) -> None:
    _, other = shop.desk.new_application()
    key = shop.desk.new_key(other, "read")
    answer = shop.desk.get("/api/templates", key, **TIMES)[1]
    assert (answer["templates"], answer["total"], answer["unclustered"], answer["health"]) == ([], 0, 0, [])
    order = shop.ids()[ORDER]
    assert shop.desk.get(f"/api/templates/{order}", key)[1]["code"] == "unknown_template"
    for asked in ({"q": f"template:{order}"}, {"template": str(order)}):
        assert shop.desk.get("/api/logs", key, **TIMES | asked)[1]["logs"] == []
    assert shop.desk.get("/api/histogram", key, by="template", **TIMES)[1]["series"] == []


def test_logs_that_got_their_template_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.PostgresClusterer", lambda _: PostgresClusterer(Database("postgresql://n@127.0.0.1:9/n")))
    application_id, name = desk.new_application()
    key = desk.new_key(name, "read")
    desk.store(application_id, "order 1 placed", "order 2 placed")
    answer = desk.get("/api/templates", key, **TIMES)[1]
    assert (answer["templates"], answer["unclustered"], answer["total"]) == ([], 2, 2)
    (series,) = desk.get("/api/histogram", key, by="template", **TIMES)[1]["series"]
    assert (series["value"], sum(series["counts"])) == (None, 2)
    log_id = desk.get("/api/logs", key, q='"order 1"', **TIMES)[1]["logs"][0]["id"]
    assert desk.get(f"/api/logs/{log_id}", key)[1]["template"] is None
    while PostgresClusterer(Database(desk.scratch.url("sluice_indexer"))).repair():
        pass
    answer = desk.get("/api/templates", key, **TIMES)[1]
    assert (answer["templates"][0]["count"], answer["unclustered"]) == (2, 0)
    template = answer["templates"][0]["id"]
    assert len(desk.get("/api/logs", key, q=f"template:{template}", **TIMES)[1]["logs"]) == 2
    (series,) = desk.get("/api/histogram", key, by="template", **TIMES)[1]["series"]
    assert (series["value"], sum(series["counts"])) == (str(template), 2)
    found = desk.get(f"/api/logs/{log_id}", key)[1]["template"]
    assert (found["id"], found["values"]) == (template, ["1"])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_search_for_a_template_reads_only_the_times_in_which_it_occurred(desk: Desk, order: str) -> None:
    application_id, name = desk.new_application()
    rare_times = [NOON + timedelta(minutes=minute) for minute in (0, 5, 6, 9)]
    for rare_time in rare_times:
        desk.store(application_id, "out of memory", event_at=rare_time + timedelta(seconds=59.5))
    for minute in (-1, 4, 7, 10):
        noise = [f"order {number} placed" for number in range(2_500)]
        desk.store(application_id, *noise, event_at=NOON + timedelta(minutes=minute))
    ((template,),) = desk.scratch.rows(
        "SELECT template_id FROM templates WHERE application_id = %s AND text = 'out of memory'", application_id
    )
    visible = Visible({application_id: name})
    database = Database(desk.scratch.url("sluice_reader"))

    def search(max_rows: int, **parameters: str) -> Page:
        query = parse_query({"order": order, **parameters}, datetime.now(UTC))
        return PostgresLogReader(database, visible, Budget(max_rows=max_rows)).search(query)

    for asked in ({"template": str(template)}, {"q": f"template:{template} memory", "level": "info"}):
        page = search(6_001, **asked)  # four windows at most, which begin anew at each of three stretches
        times = [datetime.fromisoformat(log["timestamp"]) for log in page.logs]
        assert [time.replace(second=0, microsecond=0) for time in times] == sorted(rare_times, reverse=order == "desc")
        assert not page.is_partial
    page = search(1, template=str(template))
    assert (len(page.logs), page.is_partial) == (1, True)
    middle = search(10**6, template=str(template), since=str(rare_times[1]), until=str(rare_times[2]))
    assert [datetime.fromisoformat(log["timestamp"]).minute for log in middle.logs] == [5]
    beside = search(10**6, q=f"template:{template} OR placed")
    assert len(beside.logs) == 100


def test_however_many_times_a_template_occurred(desk: Desk) -> None:
    """All its logs are found, although they are looked for in a limited number of stretches."""
    application_id, name = desk.new_application()
    for minute in range(2 * MAX_RUNS):
        desk.store(application_id, "out of memory", event_at=NOON + timedelta(minutes=2 * minute))
    key = desk.new_key(name, "read")
    ((template,),) = desk.scratch.rows("SELECT template_id FROM templates WHERE application_id = %s", application_id)
    asked = {"template": str(template), "since": str(NOON), "until": str(NOON + timedelta(days=1)), "limit": "1000"}
    assert len(desk.get("/api/logs", key, **asked)[1]["logs"]) == 2 * MAX_RUNS
