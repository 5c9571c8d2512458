"""`sluice alerts` against a server that answers what the test says, and rules as people write them."""

import json
from typing import Any

import pytest
from rich.console import Console

from sluice.alerts.defaults import DEFAULT_RULES
from sluice.alerts.parse import members_of, read_rule
from sluice_cli import alerts_view
from sluice_cli.errors import SettingsError
from sluice_cli.rule_text import EXAMPLES, read_rule_text, rule_text
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback, Request, problem
from unit.cli.test_commands import sluice

TIME = "2026-03-01T12:00:00+00:00"
RULE: dict[str, Any] = {
    "id": 17,
    "application": "shop",
    "name": "Errors",
    "kind": "threshold",
    "query": "level:>=error",
    "window_seconds": 60,
    "for_seconds": 0,
    "group_by": [],
    "above": 50.0,
    "below": None,
    "resolve_above": None,
    "resolve_below": 25.0,
    "per": None,
    "severity": "critical",
    "labels": {"team": "pay"},
    "enabled": True,
    "origin": "user",
    "state": "firing",
    "last_evaluated_at": TIME,
    "groups_cut": True,
    "failure": {"code": "query_timed_out", "detail": "too slow", "since": TIME},
    "version": 3,
    "created_at": TIME,
    "changed_at": TIME,
    "changed_by": "abc",
}
INCIDENT: dict[str, Any] = {
    "id": "6f1c2a9b-0000-4000-8000-000000000001",
    "application": "shop",
    "source": "rule",
    "rule": {"id": 17, "name": "Errors", "kind": "threshold"},
    "title": "Errors (host=\x1b[31ma)",
    "sentence": "shop: 73 logs.",
    "severity": "critical",
    "status": "firing",
    "labels": {"team": "pay"},
    "opened_at": TIME,
    "resolved_at": None,
    "withdrawn": False,
    "acknowledged_at": TIME,
    "acknowledged_by": "abc",
    "acknowledge_note": "mine",
    "observed": 73.0,
    "threshold": 50.0,
    "query": "level:>=error",
    "window": {"from": TIME, "until": TIME},
    "silenced": True,
    "noticed_at": TIME,
}


@pytest.fixture(autouse=True)
def at_this_server(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        (
            "level:>=error > 50 in 1m",
            {"kind": "threshold", "query": "level:>=error", "window_seconds": 60, "above": 50.0},
        ),
        ("> 1,000 in 1h", {"kind": "threshold", "query": "", "window_seconds": 3_600, "above": 1_000.0}),
        (
            'app:x "a > b" < 2.5 per minute in 5m for 2m by host,level until > 4',
            {
                "kind": "threshold",
                "query": 'app:x "a > b"',
                "window_seconds": 300,
                "for_seconds": 120,
                "group_by": ["host", "level"],
                "below": 2.5,
                "resolve_above": 4.0,
                "per": "minute",
            },
        ),
        (
            "level:>=error > 5% of service:pay in 5m until < 2%",
            {
                "kind": "ratio",
                "query": "level:>=error",
                "of_query": "service:pay",
                "window_seconds": 300,
                "above": 0.05,
                "resolve_below": 0.02,
            },
        ),
        (
            "payment in progress > 3 in 1m",
            {"query": "payment in progress", "above": 3.0, "window_seconds": 60, "kind": "threshold"},
        ),
        ("no logs in 30m", {"kind": "absence", "query": "", "window_seconds": 1_800}),
        (
            "no service:pay in 2h by host",
            {"kind": "absence", "query": "service:pay", "window_seconds": 7_200, "group_by": ["host"]},
        ),
        ("new level:>=error", {"kind": "new_template", "query": "level:>=error"}),
        ("new messages in 2h", {"kind": "new_template", "query": "", "window_seconds": 7_200}),
        (
            "timeout rises 3x in 5m vs previous,day",
            {
                "kind": "rate_change",
                "query": "timeout",
                "window_seconds": 300,
                "direction": "above",
                "factor": 3.0,
                "against": ["previous", "day"],
            },
        ),
        (
            "logs falls 2.5x in 1h",
            {
                "kind": "rate_change",
                "query": "",
                "window_seconds": 3_600,
                "direction": "below",
                "factor": 2.5,
                "against": ["previous"],
            },
        ),
    ],
)
def test_what_a_line_says(text: str, members: dict[str, Any]) -> None:
    assert read_rule_text(text) == members
    form = read_rule(members, needs_name=False)
    assert read_rule(read_rule_text(rule_text(members_of(form.spec))), needs_name=False) == form


@pytest.mark.parametrize(
    "text",
    ["", "level:error", "level:error > in 1m", "x > 5", "x > 5 of y in 1m", "x > 1.2.3 in 1m", "x > 5 in 1m until > 3"],
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_rule_text(text)
    assert EXAMPLES[0] in caught.value.hint or EXAMPLES[1] in caught.value.hint


@pytest.mark.parametrize("key", DEFAULT_RULES)
def test_a_default_rule_can_be_shown(key: str) -> None:
    assert rule_text(members_of(DEFAULT_RULES[key].spec))


def test_incidents_are_listed_that_fire(server: Playback) -> None:
    server.answers(Answer(200, {"incidents": [INCIDENT], "next_cursor": None}))
    assert json.loads(sluice("alerts", "list", "--severity", "critical", "--since", "-2h").stdout) == INCIDENT
    asked = server.requests[0]
    assert asked.path == "/api/incidents"
    assert (asked.query["status"], asked.query["severity"], asked.query["limit"]) == ("firing", "critical", "50")
    assert asked.query["since"].endswith("Z")
    sluice("alerts", "list", "--status", "all")
    assert "status" not in server.requests[1].query
    server.answers(Answer(200, {"incidents": [], "next_cursor": None}))
    assert sluice("alerts", "list").stdout == ""


def test_the_beginning_of_an_id_is_enough(server: Playback) -> None:
    def play(request: Request) -> Answer:
        if request.path == "/api/incidents":
            return Answer(200, {"incidents": [INCIDENT], "next_cursor": None})
        if request.path.endswith("/acknowledge"):
            assert request.json() == {"note": "mine"}
            return Answer(200, {"incident": INCIDENT})
        return Answer(200, {"incident": INCIDENT, "events": []})

    server.play = play
    assert json.loads(sluice("alerts", "show", "6f1c").stdout)["incident"]["id"] == INCIDENT["id"]
    assert server.requests[-1].path == f"/api/incidents/{INCIDENT['id']}"
    assert "acknowledged by key abc" in sluice("alerts", "ack", INCIDENT["id"], "--note", "mine").stdout
    unknown = sluice("alerts", "show", "77")
    assert (unknown.exit_code, "There is no incident '77'" in unknown.stderr) == (2, True)


def test_a_rule_is_made_of_a_line(server: Playback) -> None:
    server.answers(Answer(201, {"rule": RULE}))
    line = "level:>=error > 50 in 1m until < 25"
    made = sluice("alerts", "rules", "create", "Errors", line, "--severity", "critical", "--label", "team=pay", "--off")
    assert made.stdout == f"Rule 17 'Errors' of shop created, switched off: {line}\n"
    assert server.requests[0].json() == {
        "name": "Errors",
        **read_rule_text(line),
        "severity": "critical",
        "labels": {"team": "pay"},
        "enabled": False,
    }
    assert sluice("alerts", "rules", "create", "x", line, "--label", "team").exit_code == 2
    server.answers(problem(400, "invalid_query", "no level", position=6, expected=["error"]))
    wrong = sluice("alerts", "rules", "create", "x", "level:eror > 5 in 1m")
    assert (wrong.exit_code, "        ^" in wrong.stderr) == (1, True)


def test_rules_are_found_by_name_or_id(server: Playback) -> None:
    pages = [
        {"rules": [{**RULE, "id": 16, "name": "Other"}], "next_cursor": "c"},
        {"rules": [RULE], "next_cursor": None},
    ]

    def play(request: Request) -> Answer:
        if request.path == "/api/rules":
            return Answer(200, pages[1 if request.query.get("cursor") else 0])
        return Answer(200, {"rule": RULE, "deleted": RULE})

    server.play = play
    assert json.loads(sluice("alerts", "rules", "show", "Errors").stdout)["id"] == 17
    assert len(sluice("alerts", "rules", "list").stdout.splitlines()) == 2
    assert "switched off" in sluice("alerts", "rules", "disable", "17").stdout
    assert (server.requests[-1].method, server.requests[-1].json()) == ("PATCH", {"enabled": False})
    assert "switched on" in sluice("alerts", "rules", "enable", "Errors").stdout
    assert "deleted" in sluice("alerts", "rules", "delete", "17").stdout
    assert server.requests[-1].method == "DELETE"
    sluice("alerts", "rules", "edit", "17", "--says", "level:error > 5 in 2m", "--name", "More")
    changed = server.requests[-1].json()
    assert (changed["name"], changed["above"], changed["resolve_below"]) == ("More", 5.0, None)
    assert sluice("alerts", "rules", "edit", "17").exit_code == 2
    missing = sluice("alerts", "rules", "delete", "Nothing")
    assert (missing.exit_code, "There is no rule" in missing.stderr) == (2, True)


def test_a_test_goes_on_until_all_is_judged(server: Playback) -> None:
    episode: dict[str, Any] = {"from": TIME, "until": None, "observed": 73.0, "threshold": 50.0, "group": {}}
    part = {
        "rule": {},
        "timeline": [{"until": TIME, "observed": 73.0, "fires": True}],
        "evaluations": 60,
        "groups_cut": False,
    }
    answers = [
        {**part, "would_fire": [], "evaluated_until": TIME, "truncated": True, "next_cursor": "more"},
        {**part, "would_fire": [episode], "evaluated_until": TIME, "truncated": False, "next_cursor": None},
    ]
    server.play = lambda request: (
        Answer(200, {"rules": [], "next_cursor": None}) if request.path == "/api/rules" else Answer(200, answers.pop(0))
    )
    found = json.loads(sluice("alerts", "test", "level:>=error > 50 in 1m", "--since", "-7d").stdout)
    assert (found["would_fire"], found["evaluations"], len(found["timeline"])) == ([episode], 120, 2)
    asked = [request.json() for request in server.requests if request.path == "/api/rules/test"]
    assert asked[0]["rule"] == read_rule_text("level:>=error > 50 in 1m")
    assert asked[1] == {**asked[0], "cursor": "more"}
    assert sluice("alerts", "rules", "test", "nonsense").exit_code == 2


def shown(*things: Any) -> str:
    console = Console(width=160, file=None)
    with console.capture() as captured:
        for thing in things:
            console.print(thing)
    return captured.get()


def test_what_people_see() -> None:
    incidents = shown(alerts_view.incident_table([INCIDENT, {**INCIDENT, "withdrawn": True, "resolved_at": TIME}]))
    for text in ("6f1c2a9b", "firing silenced acked", "withdrawn", "critical", "2026-03-01 12:00"):
        assert text in incidents
    assert "\x1b" not in incidents
    rules = shown(alerts_view.rule_table([RULE, {**RULE, "enabled": False}]))
    for text in ("level:>=error > 50 in 1m until < 25", "failed: query_timed_out", "off"):
        assert text in rules
    whole = shown(*alerts_view.rule_lines(RULE))
    for text in ("team=pay", "too slow", "only the most frequent", "by key abc"):
        assert text in whole
    event = {
        "kind": "firing",
        "created_at": TIME,
        "payload": {"sentence": "S.", "samples": [{"level": "ERROR", "message": "m\x1b"}]},
    }
    one = shown(*alerts_view.incident_lines({"incident": INCIDENT, "events": [event]}))
    for text in ("shop: 73 logs.", "it goes on", "mine", "ERROR    m", "Look: sluice logs --since"):
        assert text in one
    table = shown(
        alerts_view.episode_table(
            [
                {
                    "from": TIME,
                    "until": "2026-03-01T13:05:00+00:00",
                    "observed": 0.5,
                    "threshold": 1.0,
                    "group": {"host": ""},
                }
            ]
        )
    )
    for text in ("1h05m", "0.5", "host=(none)"):
        assert text in table


def test_a_timeline_is_as_wide_as_the_terminal() -> None:
    marks = [{"until": TIME, "observed": float(number), "fires": number == 150} for number in range(200)]
    bars, axis, most = alerts_view.timeline_lines(marks, TIME, 80)
    assert (len(bars.plain), axis.plain.startswith("2026-03-01 12:00"), most.plain) == (80, True, "highest 199")
    assert [span.style for span in bars.spans].count("bold red") == 1
    quiet, *_ = alerts_view.timeline_lines([{"until": TIME, "observed": 0.0, "fires": True}], TIME, 80)
    assert quiet.plain == "▁"
    assert alerts_view.timeline_lines([], TIME, 80) == []
