"""Whatever is written in q is understood or refused, and what was understood can be written again."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.search.language import MAX_CHARACTERS, parse_condition, text_of
from sluice.search.model import EVERYTHING, FIELDS, Condition, Field, Has, Levels, Not, OfTemplate, Text, all_of, any_of

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
texts = st.text(characters, min_size=1, max_size=12) | st.sampled_from(["AND", "OR", "NOT", "a b", "-", '"', "\\", "*"])
names = st.sampled_from(FIELDS) | st.text(characters, min_size=1, max_size=8).map(lambda key: f"metadata.{key}")
levels = st.sampled_from(
    [Levels(level, level) for level in Level]
    + [Levels(Level.DEBUG, Level.WARNING), Levels(Level.WARNING, Level.CRITICAL), Levels(Level.DEBUG, Level.CRITICAL)]
)
terms = st.one_of(
    st.builds(Text, texts, st.booleans()),
    st.builds(Field, names, texts, st.booleans()),
    st.builds(Field, names, st.just("")),
    st.builds(Has, names),
    st.builds(OfTemplate, st.integers(1, 2**31 - 1)),
    levels,
)
conditions = st.recursive(
    terms | st.just(EVERYTHING),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=4).map(lambda parts: all_of(*parts)),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: any_of(*parts)),
    ),
    max_leaves=12,
)
fragments = st.sampled_from(
    ["(", ")", '"', "-", ":", "*", "\\", " ", "OR", "NOT", "AND", "level:", ">=", "app:", "metadata.", "has:", "a", "é"]
)


@given(conditions)
def test_what_was_understood_can_be_written_again(condition: Condition) -> None:
    assert parse_condition(text_of(condition)) == condition


@given(st.lists(fragments, max_size=60).map("".join) | st.text(max_size=200))
def test_anything_is_understood_or_refused_at_a_place_within_it(text: str) -> None:
    mistake = None
    try:
        condition = parse_condition(text)
    except RejectedInput as error:
        mistake = error
    if mistake is None:
        assert parse_condition(text_of(condition)) == condition
    else:
        assert mistake.code == "invalid_query"
        assert 0 <= mistake.members["position"] <= len(text)
        assert mistake.members["expected"]


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet='\\"a:*-( )', min_size=1, max_size=6))
def test_repetition_lets_no_pattern_go_astray(unit: str) -> None:
    """A pattern that goes back and forth would take hours here, and end at the suite's time-out."""
    with suppress(RejectedInput):
        parse_condition((unit * MAX_CHARACTERS)[:MAX_CHARACTERS])
