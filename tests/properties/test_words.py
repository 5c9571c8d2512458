"""Word filters miss nothing: what a matching log must hold, it holds."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from sluice.search import words
from sluice.search.words import Clauses

TEXT = st.text(st.sampled_from("abK_9 .-\u212aſİıßéσςΣ→²中文字\n") | st.characters(codec="utf-8"), max_size=40)
TOKENS = st.binary(min_size=1, max_size=12)
CLAUSES = st.frozensets(st.frozensets(st.sampled_from([b"a", b"b", b"c", b"d"]), min_size=1, max_size=3), max_size=3)


def holds(tokens: set[bytes], clauses: Clauses) -> bool:
    return all(clause & tokens for clause in clauses)


def in_another_case(text: str) -> str:
    """As a database would fold it, character by character."""
    return "".join(folded if len(folded := char.swapcase()) == 1 else char for char in text)


@given(TEXT, TEXT, TEXT)
@example("", "K", "")  # the Kelvin sign
@example("x²", "mA", "→")
def test_a_text_holds_the_words_in_it(before: str, inside: str, after: str) -> None:
    message = f"{before} {inside}.{after}"
    for variant in (inside, in_another_case(inside)):
        assert holds(words.text_tokens(message), words.words(variant))
        assert holds(words.text_tokens(message), words.piece(variant))


@given(TEXT, st.data())
def test_a_text_holds_what_is_cut_out_of_it(message: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(message)))
    end = data.draw(st.integers(start, len(message)))
    cut = in_another_case(message[start:end])
    assert holds(words.text_tokens(message), words.piece(cut))
    if start == 0:
        assert holds(words.text_tokens(message), words.words(cut, is_prefix=True))


@given(TEXT)
@example("ok→ok")
def test_every_run_of_ascii_word_characters_is_a_word(message: str) -> None:
    """Wherever a database thinks that words end: not within such a run."""
    for word in re.findall("[A-Za-z0-9_]+", message):
        assert holds(words.text_tokens(message), words.words(word))


@given(st.sampled_from(words.FIELDS) | st.just("metadata.http.user"), TEXT)
def test_a_field_is_found_in_any_case(name: str, value: str) -> None:
    tokens = {words.field_token(name, value)}
    assert holds(tokens, words.field(name, value))
    assert holds(tokens, words.field(name, in_another_case(value)))


def test_a_dotted_name_may_be_one_key_or_several() -> None:
    assert words.field_token("metadata.http.status", "500") == words.field_token("metadata.status", "500")
    assert words.field("metadata.tags", '["a"]') == words.ANYTHING


@given(st.sets(TOKENS, max_size=1_500))
def test_a_filter_holds_its_tokens(tokens: set[bytes]) -> None:
    word_filter = words.make_filter(tokens)
    assert 0 < len(word_filter) <= words.MAX_FILTER_BYTES
    for token in tokens:
        assert words.may_match(word_filter, frozenset([frozenset([token])]))


@given(CLAUSES, CLAUSES, st.sets(st.sampled_from([b"a", b"b", b"c", b"d"])))
def test_conditions_combine(left: Clauses, right: Clauses, tokens: set[bytes]) -> None:
    assert holds(tokens, words.both(left, right)) == (holds(tokens, left) and holds(tokens, right))
    assert holds(tokens, words.either(left, right)) == (holds(tokens, left) or holds(tokens, right))


@given(st.lists(CLAUSES, min_size=1, max_size=6), st.sets(st.sampled_from([b"a", b"b", b"c", b"d"])))
def test_many_alternatives_are_simplified_and_miss_nothing(conditions: list[Clauses], tokens: set[bytes]) -> None:
    if any(holds(tokens, condition) for condition in conditions):
        assert holds(tokens, words.either(*conditions))


def test_a_filter_lets_few_others_through() -> None:
    """Words in sequence, as ids are, are the hard case for a checksum."""
    word_filter = words.make_filter({b"order%d" % number for number in range(words.MAX_TOKENS)})
    absent = range(10**6, 10**6 + 20_000)
    wrong = sum(words.may_match(word_filter, words.words(f"order{number}")) for number in absent)
    assert wrong <= len(absent) * 0.0016
