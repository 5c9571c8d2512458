"""The query language: what a text means, and what is said about a mistake."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.search.describe import language_document
from sluice.search.language import LEVEL_ALIASES, MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, parse_condition
from sluice.search.model import EVERYTHING, AllOf, AnyOf, Condition, Field, Has, Levels, Not, Text

ERROR = Levels(Level.ERROR, Level.ERROR)
A, B, C = Text("a"), Text("b"), Text("c")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("*", EVERYTHING),
        ("refused", Text("refused")),
        ("refus*", Text("refus", is_prefix=True)),
        ('"connection refused"', Text("connection refused")),
        ('"connection ref"*', Text("connection ref", is_prefix=True)),
        (r'"say \"hi\" \\ \n"', Text(r"say " + '"hi"' + r" \ \n")),
        ("10.0.0.1", Text("10.0.0.1")),
        ("a-b", Text("a-b")),
        ("a b", AllOf((A, B))),
        ("a AND b", AllOf((A, B))),
        ("a and b", AllOf((A, Text("and"), B))),
        ("a OR b c", AnyOf((A, AllOf((B, C))))),
        ("(a OR b) c", AllOf((AnyOf((A, B)), C))),
        ("a (b c)", AllOf((A, B, C))),
        ("-a", Not(A)),
        ("NOT a b", AllOf((Not(A), B))),
        ("-(a OR b)", Not(AnyOf((A, B)))),
        ('-"a b"', Not(Text("a b"))),
        ("-level:error", Not(ERROR)),
        ("level:error", ERROR),
        ("level:WARN", Levels(Level.WARNING, Level.WARNING)),
        ('level:"error"', ERROR),
        ("level:>=warning", Levels(Level.WARNING, Level.CRITICAL)),
        ("level:>warning", Levels(Level.ERROR, Level.CRITICAL)),
        ("level:<=info", Levels(Level.DEBUG, Level.INFO)),
        ("level:<info", Levels(Level.DEBUG, Level.DEBUG)),
        ("app:checkout", Field("application", "checkout")),
        ("application:check*", Field("application", "check", is_prefix=True)),
        ('service:"my shop"', Field("service", "my shop")),
        ("trace:a1 session:b2", AllOf((Field("trace_id", "a1"), Field("session_id", "b2")))),
        ("host:a:b", Field("host", "a:b")),
        ('host:""', Field("host", "")),
        ("metadata.user_id:42", Field("metadata.user_id", "42")),
        ('metadata."user id":42', Field("metadata.user id", "42")),
        ("has:metadata.user_id", Has("metadata.user_id")),
        ("has:trace", Has("trace_id")),
        ("trace:*", Has("trace_id")),
        (
            'level:error app:checkout "connection refused" -healthcheck',
            AllOf((ERROR, Field("application", "checkout"), Text("connection refused"), Not(Text("healthcheck")))),
        ),
    ],
)
def test_a_text_and_its_meaning(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ('a "b', 2, '"'),
        ('a"b', 1, '"'),
        ("(a", 0, ")"),
        ("a)", 1, "a word"),
        ("()", 1, "a word"),
        ("a OR", 4, "a word"),
        ("OR a", 0, "a word"),
        ("a AND", 5, "a word"),
        ("NOT", 3, "a word"),
        ("a - b", 3, "a word"),
        ("-", 1, "a word"),
        ('""', 0, "text"),
        ("a*b", 2, "the text in quotes"),
        ('"a"b', 3, "the text in quotes"),
        ("a user_id:42", 2, "metadata.KEY"),
        ("http://x", 0, "level"),
        ("level:loud", 6, "error"),
        ("level:eror", 6, "error"),  # which ingest takes for an error
        ("level:>=eror", 8, "error"),
        ("a level:all", 8, "error"),
        ("level:40", 6, "error"),
        ("level:>critical", 6, "error"),
        ("level:<debug", 6, "error"),
        ("level:", 6, "error"),
        ("host:", 5, "a value"),
        ("host:>5", 5, '"a value"'),
        ("has:message", 4, "service"),
        ("metadata.:x", 0, "metadata.KEY"),
        ("a\x00", 1, "another one"),
        ("a" * (MAX_CHARACTERS + 1), MAX_CHARACTERS, f"at most {MAX_CHARACTERS} characters"),
        ("(" * 5_000, MAX_CHARACTERS, f"at most {MAX_CHARACTERS} characters"),
        ("(" * 4_000, MAX_DEPTH, f"at most {MAX_DEPTH} parentheses and negations within each other"),
        ("-" * 4_000, MAX_DEPTH, f"at most {MAX_DEPTH} parentheses and negations within each other"),
        ("a " * 2_000, 2 * MAX_TERMS, f"at most {MAX_TERMS}"),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_what_was_expected(text: str, position: int, expected: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        parse_condition(text)
    assert caught.value.code == "invalid_query"
    assert caught.value.members["position"] == position
    assert expected in caught.value.members["expected"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("level:eror", "error"),
        ("level:WARNNING", "warning"),
        ("level:>=fatl", "fatal"),
        ("level:x", None),
        ("aplication:shop", "application"),
        ("http://x", None),
    ],
)
def test_what_was_probably_meant_is_said(text: str, meant: str | None) -> None:
    with pytest.raises(RejectedInput) as caught:
        parse_condition(text)
    assert ("did you mean" in caught.value.detail) == (meant is not None)
    assert meant is None or f"did you mean {meant}?" in caught.value.detail


def test_levels_have_the_usual_short_names() -> None:
    for name, level in LEVEL_ALIASES.items():
        assert parse_condition(f"level:{name}") == parse_condition(f"level:{level}")


def test_the_description_is_true() -> None:
    document = language_document()
    for operator in document["operators"]:
        parse_condition(operator["example"])
    for field in document["fields"]:
        for name in (field["name"], *field["aliases"]):
            value = {"has": "trace", "template": "17"}.get(name, "error")
            parse_condition(f"{name}x:{value}" if name.endswith(".") else f"{name}:{value}")


def lines_run(call: Callable[[], Any]) -> int:
    """How many lines of Python the call runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        call()
    except RejectedInput:
        pass
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    "unit", ["a", "-a ", "(", "a)", '"', '\\"', '"a" ', "a:", "*", "a OR ", "metadata.", "NOT ", '"\\', "((a) OR -b) "]
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    """Twice the text, at most about twice the steps; patterns cannot go back, see language.py."""
    short, long = (unit * (length // len(unit)) for length in (512, 2_048))
    assert lines_run(lambda: parse_condition(long)) <= 4.5 * lines_run(lambda: parse_condition(short)) + 200
