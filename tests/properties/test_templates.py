"""Masks take any text in linear time; a miner rebuilt from what was stored goes on as if nothing had happened."""

from random import Random
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.logs import ID_CHARACTERS, make_logs
from sluice.templates import masks
from sluice.templates.masks import MAX_CHARACTERS, mask
from sluice.templates.miner import Miner
from sluice.templates.model import WILDCARD, Assignment, Template
from sluice.templates.parameters import parameters

PIECES = [
    "<*>",
    "a",
    "zz",
    "q7",
    "17",
    "0x1f",
    "cafebabe",
    "/a/b",
    "http://h/p?q=1",
    "10.0.0.1:80",
    "true",
    "com.a.b",
    "Mon Nov 24 10:00",
    "<1 s",
]
TEXT = st.lists(
    st.sampled_from([*PIECES, *" .,:;=()[]{}<>\"'|-+@#$%&*!?/\\_\n"]) | st.text(max_size=3), max_size=25
).map("".join)
WORDS = st.sampled_from(
    [
        "open",
        "close",
        "for",
        "ann",
        "ben",
        "cid",
        "dan",
        "eve",
        "x.a.b",
        "x.a.c",
        "en0",
        "en1",
        "<*>",
        "k=v",
        "k=w",
        "zz,",
        "<*>,",
        "end.",
        "core.ab",
        "core.cd",
        "core.<*>",
    ]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), max_size=40)

# What comes first, what is repeated, and what comes last.
EVIL = [
    ("", "a", ""),
    ("", "1", ""),
    ("", "a.", ""),
    ("", "1.", "x y"),
    ("", "(1.", "x"),
    ("", "1?,", "x"),
    ("", "a:", "1"),
    ("", "f:", "x"),
    ("", "/a", ""),
    ("", "a/", "1"),
    ("", "=a", ""),
    ("", '"', "a"),
    ("", '"<*> ', ""),
    ("", "<*>", "x"),
    ("a", "#", "x1"),
    ("a.", "1", "x"),
    ("a.", "c", "x1"),
    ("a-1", ".1", "!x"),
    ("", "-1", "x"),
    ("", "Mon Jan ", ""),
    ("Mon", " ", "Jan"),
    ("", "a://", ""),
    ("", "<1 ", ""),
    ("", "a(", ""),
    ("a:", "a" * 19 + ":", "//"),
    ("", "\u00e9\u0661", ""),
    ("", ".", "1"),
    ("1", "?", "a"),
]


@given(TEXT)
@example("\ud800 \x00")
def test_any_text_is_masked_and_masked_text_stays(message: str) -> None:
    masked = mask(message)
    assert mask(masked) == masked
    assert len(masked) <= 2 * MAX_CHARACTERS


@given(TEXT.map(lambda text: text.replace('"', "'")))
@example("at Mon, 24 Nov 2026 and")
@example("read /a. then")
@example("took <1 sec")
@example("is true")
def test_words_are_masked_as_the_whole_message_is(message: str) -> None:
    assert mask(message) == masks._mask_in_context(message)


@pytest.mark.parametrize(("head", "body", "tail"), EVIL)
def test_masking_takes_linear_time(head: str, body: str, tail: str) -> None:
    """Without the limit on a message: eight times the text takes about eight times as long, and not 64 times."""

    def seconds(characters: int) -> float:
        start = process_time()
        masks._masked(head + body * (characters // len(body)) + tail)
        return process_time() - start

    few = min(seconds(8_000) for _ in range(3))
    assert min(seconds(64_000) for _ in range(3)) < 25 * few + 0.001


@given(LINES)
@example(["<*>", "<*>"])
def test_a_rebuilt_miner_goes_on_with_the_same_answers(lines: list[str]) -> None:
    whole, stored = Miner(), dict[int, Template]()
    for line in lines:
        assignment = Miner(stored.values()).assign(line)
        assert assignment == whole.assign(line)
        stored.update({template.template_id: template for template in assignment.changed})
    assert tuple(stored.values()) == whole.templates


@given(LINES)
def test_known_lines_find_their_templates_in_any_order(lines: list[str]) -> None:
    miner = Miner()
    for line in lines:
        miner.assign(line)
    known = {line: miner.assign(line) for line in lines}
    assert not any(each.is_new for each in known.values())
    assert {line: miner.assign(line).template_id for line in sorted(lines)} == {
        line: each.template_id for line, each in known.items()
    }


@given(LINES, st.sets(st.integers(1, 40)))
def test_a_miner_that_takes_over_changes_is_one_that_was_rebuilt(lines: list[str], moments: set[int]) -> None:
    whole, replica, changed = Miner(), Miner(), dict[int, Template]()
    for moment, line in enumerate(lines, 1):
        changed |= {template.template_id: template for template in whole.assign(line).changed}
        if moment in moments:
            replica.apply(changed.values())
            changed.clear()
            assert replica.templates == whole.templates
            rebuilt = Miner(whole.templates)
            assert [replica.find(known) for known in lines] == [rebuilt.find(known) for known in lines]
    replica.apply(changed.values())
    assert [replica.assign(line) for line in reversed(lines)] == [whole.assign(line) for line in reversed(lines)]


@given(LINES)
def test_lines_that_were_seen_teach_nothing(lines: list[str]) -> None:
    miner = Miner()
    for line in lines:
        learnt = miner.assign(line)
        assert miner.find(line) == Assignment(learnt.template_id, is_new=False, changed=())
    for line in lines:
        found = miner.find(line)
        assert found is not None
        assert miner.assign(line) == found


@given(LINES, st.lists(WORDS, min_size=1, max_size=6).map(" ".join))
@example([f"zz, {word} for ann" for word in ("ann", "ben", "cid", "dan", "eve", "open")], "zz, close for ann")
def test_what_is_remembered_changes_no_answer(lines: list[str], other: str) -> None:
    miner = Miner()
    for count, line in enumerate(lines, 1):
        miner.assign(line)
        fresh = Miner(miner.templates)
        asked = [*lines[:count], other]
        assert [miner.find(each) for each in asked] == [fresh.find(each) for each in asked]


def test_logs_that_end_in_free_text_are_learnt_once() -> None:
    digits = {ord(character): digit for character, digit in zip(ID_CHARACTERS, "0123456789abcdef", strict=True)}
    lines = [mask(log.message.translate(digits)) for log in make_logs(4_000)]
    miner = Miner()
    for line in lines[:2_000]:
        miner.assign(line)
    assert sum(1 for line in lines[2_000:] if miner.assign(line).changed) < 20
    assert sum(1 for template in miner.templates if template.merged_into is None) == 10


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_free_words_are_a_value_before_long(place: str, count: int) -> None:
    """Words from a thousand, the common ones more often, as in texts; a template is whoever has their place."""
    chance = Random(count)
    vocabulary = [
        f"{a}{b}{c}" for a in "bdfgklmnrs" for b in ("a", "e", "ei", "o", "u") for c in "bdfgklmnrstvwxzpqhjc"
    ]
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]

    def line() -> str:
        words = " ".join(chance.choices(vocabulary, weights, k=count))
        return {
            "start": f"{words} kept <*> from",
            "middle": f"lost <*> to {words} after <*>",
            "end": f"because: {words}",
        }[place]

    miner = Miner()
    for _ in range(3_000):
        miner.assign(line())
    assert sum(1 for _ in range(1_000) if miner.assign(line()).changed) < 10
    assert sum(1 for template in miner.templates if template.merged_into is None) < 10


@given(LINES)
def test_an_answer_leads_to_an_active_template(lines: list[str]) -> None:
    miner, answers = Miner(), list[int]()
    for line in lines:
        answers.append(miner.assign(line).template_id)
        merged_into = {template.template_id: template.merged_into for template in miner.templates}
        assert merged_into[answers[-1]] is None
    for answer in answers:
        number: int | None = answer
        for _ in miner.templates:
            number = merged_into[number] if number is not None else None
        assert number is None


@given(st.lists(st.tuples(st.sampled_from(["took ", "of (", ") ms", ":", "x"]), st.sampled_from("0123")), min_size=1))
def test_a_template_filled_with_its_parameters_is_the_message(pairs: list[tuple[str, str]]) -> None:
    text = "".join(constant + WILDCARD for constant, _ in pairs)
    found = parameters(text, "".join(constant + value for constant, value in pairs))
    assert found == [value for _, value in pairs]
