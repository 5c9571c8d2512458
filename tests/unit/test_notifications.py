"""Who is told of what and when: routing, silences, windows, retries, signatures and what messages say."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.target import REPOSITORY
from sluice.errors import ContractError
from sluice.notifications.messages import (
    MAX_EVENTS,
    compose,
    compose_test,
    references,
    slack_body,
    sns_parts,
    subject,
    text,
    title,
    webhook_body,
)
from sluice.notifications.model import Channel, ChannelKind, Event, Message, Outcome, Result, Task
from sluice.notifications.retries import GIVE_UP, LONGEST, next_attempt
from sluice.notifications.routing import Group, Plan, Reason, Standing, plan
from sluice.notifications.signing import signature_headers, signing_secret
from sluice.notifications.silences import Matcher, Muting, Weekly, is_safe_pattern

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"


def event(number: int, kind: str = "firing", incident: str = A, *, is_firing: bool = True, **payload: Any) -> Event:
    labels = {"host": "web-1", "application": "shop", "rule": "errors", "severity": "critical"}
    about = {"kind": kind, "incident_id": incident, "severity": "critical", "labels": labels}
    known = {"title": "errors per minute", "sentence": "60 errors, more than 50", **about, **payload}
    return Event(number, 1, incident, kind, "critical", labels, is_firing, NOW, known)


def told(made: Plan) -> list[tuple[str, list[int]]]:
    return [(group.kind, [member.event_id for member in group.events]) for group in made.groups]


def reasons(made: Plan) -> dict[int, tuple[Reason | None, bool]]:
    return {decision.event.event_id: (decision.reason, decision.is_final) for decision in made.decisions}


SILENCE = Muting("silence", "s1", 1)
NOBODY: Mapping[str, Standing] = {}
TOLD = {A: Standing(is_announced=True)}


def test_events_of_one_kind_make_one_message_in_the_order_of_an_incidents_life() -> None:
    made = plan(
        [
            event(4, "resolved", is_firing=False),
            event(1, is_firing=False),
            event(2, incident=B),
            event(3, "acknowledged", B),
        ],
        {},
        NOBODY,
        [],
        room=9,
    )
    assert told(made) == [("firing", [1, 2]), ("acknowledged", [3]), ("resolved", [4])]
    assert set(reasons(made).values()) == {(None, True)}


def test_who_did_not_hear_of_an_incident_does_not_hear_of_its_end() -> None:
    made = plan([event(1, "resolved", is_firing=False), event(2, "acknowledged", B)], {}, NOBODY, [], room=9)
    assert (told(made), reasons(made)) == ([], {1: ("unannounced", True), 2: ("unannounced", True)})
    assert told(plan([event(1, "resolved", is_firing=False)], {}, TOLD, [], room=9)) == [("resolved", [1])]


def test_a_correction_is_told_to_whom_never_heard() -> None:
    """Late logs may show an incident that is over."""
    made = plan([event(1, "corrected", is_firing=False)], {}, NOBODY, [], room=9)
    assert told(made) == [("corrected", [1])]


def test_a_silenced_incident_is_told_when_the_silence_ends_if_it_is_still_there() -> None:
    silenced = plan([event(1)], {}, NOBODY, [SILENCE], room=9)
    assert (told(silenced), reasons(silenced)) == ([], {1: ("silence", False)})
    assert silenced.decisions[0].muting_id == "s1"
    held = {A: Standing(held="silence")}
    assert reasons(plan([event(1)], {1: "silence"}, held, [SILENCE], room=9)) == {1: ("silence", False)}
    assert told(plan([event(1)], {1: "silence"}, held, [], room=9)) == [("firing", [1])]
    over = [event(1, is_firing=False), event(2, "resolved", is_firing=False)]
    made = plan(over, {1: "silence"}, held, [], room=9)
    assert (told(made), reasons(made)) == ([], {1: ("silence", True), 2: ("unannounced", True)})


def test_an_end_in_a_silence_is_told_after_it_to_whom_heard_of_the_incident() -> None:
    end = event(2, "resolved", is_firing=False)
    assert reasons(plan([end], {}, TOLD, [SILENCE], room=9)) == {2: ("silence", False)}
    assert told(plan([end], {2: "silence"}, TOLD, [], room=9)) == [("resolved", [2])]
    assert reasons(plan([event(3, "acknowledged")], {}, TOLD, [SILENCE], room=9)) == {3: ("silence", True)}


def test_a_window_is_as_good_as_a_silence_and_other_applications_are_not_meant() -> None:
    window = Muting("maintenance", "w1", 1, (Matcher("host", "=", "web-1"),))
    assert reasons(plan([event(1)], {}, NOBODY, [window], room=9)) == {1: ("maintenance", False)}
    assert told(plan([event(1)], {}, NOBODY, [replace(SILENCE, application_id=2)], room=9)) == [("firing", [1])]


def test_a_flood_becomes_one_message_when_there_is_room_again() -> None:
    flood = [event(number, incident=f"{number}") for number in range(1, 40)]
    first = plan(flood, {}, NOBODY, [], room=0)
    assert (told(first), set(reasons(first).values())) == ([], {("rate", False)})
    held: dict[str, Standing] = {item.incident_id: Standing(held="rate") for item in flood}
    waiting: dict[int, Reason] = {item.event_id: "rate" for item in flood}
    ended = event(50, "resolved", "3", is_firing=False)
    still = plan([*flood, ended], waiting, held, [], room=0)
    assert reasons(still)[50] == ("rate", False)
    made = plan([*flood, ended, event(51, incident=B)], waiting | {50: "rate"}, held, [], room=2)
    assert told(made) == [("group", [*range(1, 40), 50]), ("firing", [51])]


def test_no_room_never_tells_an_end_before_its_beginning() -> None:
    """The message with the end is cut before the one with the beginning, whatever else is in it."""
    events = [
        event(1, "resolved", B, is_firing=False),
        event(2, is_firing=False),
        event(3, "resolved", is_firing=False),
    ]
    made = plan(events, {}, {B: Standing(is_announced=True)}, [], room=1)
    assert told(made) == [("firing", [2])]
    assert reasons(made)[3] == ("rate", False)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["firing", "resolved", "acknowledged"])), max_size=12),
    st.integers(0, 3),
    st.booleans(),
)
def test_each_event_has_one_decision_and_is_in_at_most_one_message(
    kinds: list[tuple[str, str]], room: int, is_silenced: bool
) -> None:
    events = [event(number, kind, incident) for number, (incident, kind) in enumerate(kinds)]
    made = plan(events, {}, NOBODY, [SILENCE] if is_silenced else [], room)
    sent = [member.event_id for group in made.groups for member in group.events]
    assert [decision.event for decision in made.decisions] == events
    assert sorted(sent) == [decision.event.event_id for decision in made.decisions if decision.reason is None]
    assert len(made.groups) <= room
    assert not (is_silenced and sent)


def test_channels_want_what_is_bad_enough() -> None:
    channel = Channel("c", 1, "shop", "ops", ChannelKind.WEBHOOK, "https://x", min_severity="warning")
    assert [channel.wants(severity) for severity in ("info", "warning", "critical")] == [False, True, True]
    assert not replace(channel, is_enabled=False).wants("critical")


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (Matcher("host", "=", "web-1"), True),
        (Matcher("host", "=", "web"), False),
        (Matcher("host", "!=", "web-2"), True),
        (Matcher("host", "!=", "web-1"), False),
        (Matcher("host", "=~", "web-.*|db"), True),
        (Matcher("host", "=~", "web"), False),
        (Matcher("rule", "=", "errors"), True),
        (Matcher("severity", "=", "critical"), True),
        (Matcher("region", "=", ""), True),
        (Matcher("region", "!=", "eu"), True),
    ],
)
def test_matchers(matcher: Matcher, matches: bool) -> None:
    assert Muting("silence", "s1", 1, (matcher,)).mutes(event(1)) is matches


@pytest.mark.parametrize("pattern", ["web-.*", "a|b|c", r"v1\.2\.[0-9]+", "", "[^a-c]?x", "..", ".*x.*"])
def test_patterns_that_can_be_matched_in_little_time(pattern: str) -> None:
    assert is_safe_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "a*a*a*b",
        "a?" * 30 + "a" * 30,
        "a{9,}",
        "(x)\\1",
        "(?=a)",
        "[z-a]",
        "[",
        "*",
        "a**",
        "a|*",
        "^a",
        "\\d",
        "a\\",
    ],
)
def test_patterns_that_cannot(pattern: str) -> None:
    assert not is_safe_pattern(pattern)


@given(st.text("ab.*+?[]|\\-^", max_size=30))
def test_a_safe_pattern_compiles_and_comes_to_an_end(pattern: str) -> None:
    if is_safe_pattern(pattern):
        re.fullmatch(pattern, "ab" * 127 + "c")  # hypothesis has a deadline


def test_a_weekly_window_is_open_by_the_clocks_of_its_place() -> None:
    window = Weekly((6,), 22 * 60, 240)  # Sunday 22:00 to Monday 02:00
    berlin = ZoneInfo("Europe/Berlin")

    def is_open(moment: str) -> bool:
        return window.is_open(datetime.fromisoformat(moment).astimezone(berlin).replace(tzinfo=None))

    assert [is_open(f"2026-03-01T{hour}Z") for hour in ("20:59", "21:00", "23:00")] == [False, True, True]  # winter: +1
    assert [is_open(f"2026-03-02T{hour}Z") for hour in ("00:59", "01:00")] == [True, False]
    assert [is_open(f"2026-07-05T{hour}Z") for hour in ("19:59", "20:00", "23:59")] == [False, True, True]  # summer: +2
    assert [is_open(f"2026-07-06T{hour}Z") for hour in ("00:00", "00:01")] == [False, False]
    # Clocks are set at 02:00 and 03:00 of Sunday the 29th; the window of that evening has its usual hours.
    assert [is_open(f"2026-03-29T{hour}Z") for hour in ("19:59", "20:00", "23:59")] == [False, True, True]


@given(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1_439), st.integers(1, 1_440), st.integers(0, 10_079))
def test_a_weekly_window_is_open_for_its_duration(days: set[int], start: int, duration: int, minute: int) -> None:
    monday = datetime(2026, 3, 2)  # noqa: DTZ001  # what a clock shows has no zone
    starts = [day * 1_440 + start + week for day in days for week in (-10_080, 0)]
    expected = any(begin <= minute < begin + duration for begin in starts)
    assert Weekly(tuple(days), start, duration).is_open(monday + timedelta(minutes=minute)) is expected


def test_retries_come_later_each_time_and_end() -> None:
    now, delays = NOW, []
    for attempt in range(1, 100):
        at = next_attempt("m1", attempt, NOW, now, None)
        if at is None:
            break
        delays.append((at - now).total_seconds())
        now = at
    assert [3.75 <= delays[0] <= 6.25, 15 <= delays[1] <= 25, 60 <= delays[2] <= 100] == [True] * 3
    assert max(delays) <= LONGEST.total_seconds() * 1.25
    assert GIVE_UP - 1.25 * LONGEST <= now - NOW <= GIVE_UP
    assert next_attempt("m1", 1, NOW, NOW, None) == next_attempt("m1", 1, NOW, NOW, None)
    assert len({next_attempt(f"m{number}", 5, NOW, NOW, None) for number in range(50)}) > 45


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert next_attempt("m1", 1, NOW, NOW, 120) == NOW + timedelta(seconds=120)
    assert next_attempt("m1", 1, NOW, NOW, 10**9) == NOW + LONGEST
    assert next_attempt("m1", 10**6, NOW - GIVE_UP, NOW, None) is None


def test_signatures_are_those_of_standard_webhooks() -> None:
    """Computed here as its text says: base64 of HMAC-SHA256 over id.timestamp.payload."""
    secret, body = signing_secret(b"p" * 32, A, 1), b'{"a":"\xc3\xa9"}'
    headers = signature_headers("msg_1", 1_674_087_231, body, [secret])
    signed = b"msg_1.1674087231." + body
    expected = hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1674087231",
        "webhook-signature": f"v1,{base64.b64encode(expected).decode()}",
    }
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:])) == 32


def test_the_specs_own_example_has_its_signature() -> None:
    body = b'{"test": 2432232314}'
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_channel_and_version_has_a_secret_of_its_own() -> None:
    secrets = {
        signing_secret(pepper, channel, version)
        for pepper in (b"p" * 32, b"q" * 32)
        for channel in (A, B)
        for version in (1, 2, 11)
    }
    assert len(secrets) == 12
    new, old = signing_secret(b"p" * 32, A, 2), signing_secret(b"p" * 32, A, 1)
    both = signature_headers("m", 1, b"", [new, old])["webhook-signature"].split(" ")
    assert both == [signature_headers("m", 1, b"", [secret])["webhook-signature"] for secret in (new, old)]


def test_the_readme_verifies_signatures() -> None:
    """What it tells receivers to write."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "def is_genuine" in block)
    names: dict[str, Any] = {}
    exec(code, names)
    is_genuine, body = names["is_genuine"], b'{"type":"alert.firing"}'
    new, old, other = (signing_secret(b"p" * 32, A, version) for version in (2, 1, 3))
    headers = signature_headers("m1", int(time.time()), body, [new, old])
    assert is_genuine(new, headers, body)
    assert is_genuine(old, headers, body)
    assert not is_genuine(other, headers, body)
    assert not is_genuine(new, headers, body + b" ")
    assert not is_genuine(new, headers | {"webhook-id": "m2"}, body)
    assert not is_genuine(new, signature_headers("m1", int(time.time()) - 600, body, [new]), body)


def message(*events: Event, kind: str = "firing") -> Message:
    return compose(Group(kind, events), "shop", NOW)


def test_a_webhook_says_what_happened() -> None:
    document = json.loads(webhook_body(message(event(1, observed=60, threshold=50))))
    assert (document["type"], document["timestamp"]) == ("alert.firing", "2026-03-02T12:00:00+00:00")
    assert document["data"]["application"] == "shop"
    (about,) = document["data"]["events"]
    assert (about["kind"], about["incident_id"], about["severity"]) == ("firing", A, "critical")
    assert (about["observed"], about["threshold"], about["labels"]["host"]) == (60, 50, "web-1")


def test_a_message_is_the_same_after_the_database_and_the_invocation() -> None:
    made = message(event(1, samples=[{"message": "é\ud800"}]))
    again = Message.from_document(json.loads(json.dumps(asdict(made))))
    task = Task("m", ChannelKind.SLACK, "https://x", again, 1.0, ("s",))
    read = Task.from_event(json.loads(json.dumps(task.to_event())))
    for body in (webhook_body, slack_body, text):
        assert body(read.message) == body(made)
    assert read == task
    with pytest.raises(ContractError):
        Task.from_event({"version": 2})


def test_outcomes_cross_the_invocation() -> None:
    outcome = Outcome(Result.FAILED, "timeout", detail="no answer", retry_after_seconds=3)
    assert Outcome.from_answer(json.loads(json.dumps(outcome.to_answer()))) == outcome
    for answer in (
        {},
        {"result": "delivered"},
        {"result": "x", "code": "y"},
        {"result": "failed", "code": "y", "z": 1},
    ):
        with pytest.raises(ContractError):
            Outcome.from_answer(answer)


def test_a_large_group_is_cut_and_says_so() -> None:
    many = message(*(event(number, incident=f"{number}") for number in range(50)), kind="group")
    assert (len(many.events), many.omitted) == (MAX_EVENTS, 30)
    assert title(many) == "shop: 50 events"
    assert "30 more" in text(many)
    assert "30 more" in slack_body(many).decode()
    assert json.loads(webhook_body(many))["data"]["omitted"] == 30
    assert len(json.loads(slack_body(many))["blocks"]) <= 50


def test_slack_mentions_nobody_and_links_nowhere_by_what_a_log_says() -> None:
    nasty = "<!channel> <https://evil.example|click> & `x` *b* \x1b[31m\u202e"
    body = slack_body(message(event(1, title=nasty, sentence=nasty, samples=[{"message": nasty}])))
    document = json.loads(body)
    markdown = json.dumps([block for block in document["blocks"] if block["type"] != "header"]) + document["text"]
    assert "<!" not in markdown
    assert "<http" not in markdown
    assert "\\u001b" not in body.decode()
    assert "\u202e" not in body.decode()
    assert len(document["blocks"][0]["text"]["text"]) <= 150


def test_an_incident_is_one_thread_of_mails() -> None:
    began, ended = message(event(1)), message(event(2, "resolved"), kind="resolved")
    assert subject(began) == "[critical] shop: errors per minute"
    assert subject(ended) == f"Re: {subject(began)}"
    assert references(began, "example.com") == references(ended, "example.com") == [f"<incident.{A}@example.com>"]
    assert "\n" not in subject(message(event(1, title="a\r\nBcc: x@example.com")))
    together = message(event(1), event(2, incident=B))
    assert subject(together) == "shop: 2 alerts firing"
    assert len(references(together, "x")) == 2


def test_what_never_was_is_withdrawn() -> None:
    correction = {"was": "firing", "is_withdrawn": True}
    ended = event(2, "corrected", correction=correction, sentence="40 errors, not more than 50")
    made = message(ended, kind="corrected")
    assert "is withdrawn" in title(made)
    assert "is withdrawn" in text(made)
    assert "is withdrawn" in slack_body(made).decode()


def test_sns_gets_a_short_ascii_subject_and_a_body_that_fits() -> None:
    heading, body = sns_parts(message(event(1, title="é" * 300)))
    assert heading.isascii()
    assert len(heading) <= 100
    assert json.loads(body)["type"] == "alert.firing"
    _, cut = sns_parts(message(*(event(number, title="x" * 20_000) for number in range(20))))
    assert len(cut.encode()) < 256 * 1024
    assert json.loads(cut)["data"]["omitted"] == 20


def test_a_test_says_that_it_is_one() -> None:
    test = compose_test("shop", NOW)
    assert json.loads(webhook_body(test))["type"] == "alert.test"
    assert title(test) == "shop: test of a channel"
    assert "works" in text(test)
    assert "works" in slack_body(test).decode()
    assert references(test, "x") == []
