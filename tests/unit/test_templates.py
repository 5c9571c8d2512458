"""Masks, keys, miner and parameters: what is promised of them, on lines of our own."""

import sys
from dataclasses import replace

import pytest

from sluice.templates.keys import template_key
from sluice.templates.masks import MAX_CHARACTERS, mask
from sluice.templates.miner import Miner
from sluice.templates.model import Assignment, Template
from sluice.templates.parameters import parameters


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("order 1234 shipped", "order <*> shipped"),
        ("took   12ms of 1.5 s, 99%", "took <*> of <*> s, <*>%"),
        ("no value at all", "no value at all"),
        ("", ""),
        ("from 10.1.2.3:80 to [fe80:0:0:1:2:3:4:5] by 0a:1b:2c:3d:4e:5f", "from <*> to [<*>] by <*>"),
        ("at 2026-11-24T10:00:00Z and Mon Nov 24 10:00:00 2026 end", "at <*> and <*> end"),
        ("read /var/lib/a-b.txt and/or C:\\data\\x", "read <*> and/or <*>"),
        ("path:/x/y?z=1&w=2 https://a.example/b?c=d, done", "path:<*> <*>, done"),
        ("id 7f9c24e8-3b12-4fef-91e0-56a2d5a3e6b1 0xff deadbeef12", "id <*> <*> <*>"),
        ("job_7 task-001 block_a1b2 gave true", "job_7 <*> <*> gave <*>"),
        ("node7x:8080 is up, worker:12 is not", "<*> is up, worker:<*> is not"),
        ("core.123 by Thing@1f2e #7 app-1.2.3", "core.<*> by Thing@<*> #<*> app-<*>"),
        ("user=ann uid=0 host=a.b.c mode=", "user=ann uid=<*> host=<*> mode="),
        ('"GET /a HTTP/1.1" 200 17', '"GET <*>" <*> <*>'),
        ("en0 up, ipv6 down", "en0 up, ipv6 down"),
        ("took <*> of <*>", "took <*> of <*>"),
        ("enable......0, threshold.....x7y9z1", "enable......<*>, threshold.....<*>"),
        ("at /a/b.c. then /d/e. Then", "at <*> then <*>. Then"),
        ("init7x() of IPv4x77 after <1 sec (action:https://a.b)", "init7x() of <*> after <*> (action:<*>)"),
    ],
)
def test_values_are_masked_by_their_shape(message: str, masked: str) -> None:
    assert mask(message) == masked


def test_only_the_head_of_a_long_message_counts() -> None:
    masked = mask("word " * MAX_CHARACTERS + "1")
    assert len(masked) <= 2 * MAX_CHARACTERS
    assert masked.endswith(" <*>")


def test_keys_are_64_bits_with_sign_and_differ_by_application() -> None:
    keys = {template_key(application, line) for application in (1, 2) for line in ("a", "b", "\ud800")}
    assert len(keys) == 6
    assert all(-(2**63) <= key < 2**63 for key in keys)


def mined(*lines: str) -> list[str]:
    """The final text of the template of each line."""
    miner = Miner()
    numbers = [miner.assign(line).template_id for line in lines]
    templates = {template.template_id: template for template in miner.templates}

    def final(number: int) -> str:
        merged_into = templates[number].merged_into
        return templates[number].text if merged_into is None else final(merged_into)

    return [final(number) for number in numbers]


def test_a_line_makes_a_template_once() -> None:
    miner = Miner()
    first = miner.assign("disk <*> of rack alpha is nearly full")
    assert first.is_new
    assert first.changed == miner.templates
    again = miner.assign("disk <*> of rack alpha is nearly full")
    assert (again.template_id, again.is_new, again.changed) == (first.template_id, False, ())


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([f"session opened for {name} by system" for name in ("ann", "ben", "cid", "dan", "eve")], "for <*> by"),
        (["login refused user=ann", "login refused user=ben"], "user=<*>"),
        (['{"event": "login", "user": "ann"}', '{"event": "login", "user": "ben"}'], '"user": "<*>"}'),
        (["resolved db.example.org ok", "resolved www.example.net ok"], "resolved <*> ok"),
        (["link en0 is up", "link en1 is up", "link en2 is up"], "link <*> is up"),
        (["open of <*> failed", "open of something failed"], "of <*> failed"),
        (["deleted <*> <*> of it", "deleted <*> <*> <*> of it"], "deleted <*> of it"),
        ([f"from {a} to {b}{b} in time" for a, b in zip("abcdef", "uvwxyz", strict=True)], "from <*> to <*> in time"),
        ([f"wrote core.{word} now" for word in ("ab", "cd", "ef", "gh", "<*>")], "wrote core.<*> now"),
        (["as mode=fast now", "as mode=<*> now", "as mode=slow now"], "as mode=<*> now"),
        (
            [
                f"copied {values} of it all"
                for values in ("ab", "cd", "ef", "gh", "ij", "kl mn", "op qr", "st uv", "wx yz")
            ],
            "copied <*> of it all",
        ),
        (["r1=ann x2=red", "r1=ben x2=red", "r1=cid x2=blue", "r1=dan x2=blue"], "r1=<*> x2=<*>"),
        ([f"START {text}" for text in ("ab", "cd", "ef", "gh", "ij", "kl mn", "op qr", "st uv")], "START <*>"),
        (["sent to a.b.c. Then", "sent to d.e.f. Then"], "sent to <*>. Then"),
        (["at [<*>, <*>] now", "at [<*>] now"], "at [<*>] now"),
    ],
)
def test_a_place_with_enough_different_words_is_a_variable(lines: list[str], text: str) -> None:
    (found,) = set(mined(*lines))
    assert text in found


@pytest.mark.parametrize(
    "lines",
    [
        ["session opened for <*>", "session closed for <*>"],
        ["state is now STARTED", "state is now PAUSED", "state is now RESUMED", "state is now STOPPED"],
        ["starting <*>", "stopping <*>", "loading <*>", "killing <*>", "joining <*>", "leaving <*>"],
        ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"],
        ["link IPv4 is up", "link IPv6 is up"],
        [f"task moved from {a}{a} to {b}{b} now" for a, b in zip("abcdefg", "bcdefgh", strict=True)],
        ["<*>", "done", "failed"],
        ["known == yes", "known == no"],
        ["pair <*> <*> of it", "pair <*>-<*> of it"],
        ["START ab cd", "START ef gh", "START ij kl", "START mn op", "START qr st"],
    ],
)
def test_constants_stay_apart(lines: list[str]) -> None:
    assert mined(*lines) == lines


def test_merged_templates_lead_to_the_oldest() -> None:
    miner = Miner()
    numbers = [miner.assign(f"session opened for {name}").template_id for name in ("ann", "ben", "cid", "dan")]
    last = miner.assign("session opened for eve")
    assert (last.template_id, last.is_new) == (numbers[0], False)
    assert {each.template_id: each.merged_into for each in last.changed} == {1: None, 2: 1, 3: 1, 4: 1}
    assert miner.assign("session opened for fay").changed == ()


def test_beyond_the_limit_all_lines_share_one_template() -> None:
    miner = Miner(max_templates=3)
    assignments = [miner.assign(f"{word * 3} {word} {word * 2}") for word in "abcdefgh"]
    assert len(miner.templates) == 4
    assert [each.is_overflow for each in assignments] == [False] * 3 + [True] * 5
    assert len({each.template_id for each in assignments[3:]}) == 1
    assert [each.is_new for each in assignments[3:]] == [True] + [False] * 4


def test_merged_templates_leave_room_for_others() -> None:
    miner = Miner(max_templates=6)
    for name in ("ann", "ben", "cid", "dan", "eve"):
        miner.assign(f"session opened for {name}")
    assignments = [miner.assign(f"{word * 3} {word} {word * 2}") for word in "abcdef"]
    assert [each.is_overflow for each in assignments] == [False] * 5 + [True]


def test_lines_beyond_the_limit_are_found_without_learning() -> None:
    miner = Miner(max_templates=5)
    for word in ("ann", "ben", "cid", "dan"):
        miner.assign(f"session opened for {word}")
    miner.assign("out of memory")
    assert miner.find("disk is full") is None, "the template for all the rest is to be made"
    overflow = miner.assign("disk is full")
    assert miner.find("queue is empty") == replace(overflow, is_new=False, changed=())
    assert miner.find("session opened for eve") is None, "that makes five templates one"
    miner.assign("session opened for eve")
    assert miner.find("queue is empty") is None, "there is room"


def split(miner: Miner, number: int) -> Miner:
    """The miner after a person split a template from what it was merged into."""
    return Miner(
        replace(template, merged_into=None, is_split=True) if template.template_id == number else template
        for template in miner.templates
    )


def test_a_template_that_was_split_has_its_lines_and_is_merged_with_nothing() -> None:
    miner = Miner()
    for word in ("opened", "closed", "reset", "lost", "stale"):
        miner.assign(f"connection {word} by <*>")
    assert {template.text for template in miner.templates if not template.merged_into} == {"connection <*> by <*>"}
    miner = split(miner, 2)
    for each in (miner, Miner(miner.templates)):
        assert each.assign("connection closed by <*>").template_id == 2
        assert each.assign("connection opened by <*>").template_id == 1
        assert each.assign("connection renewed by <*>").template_id == 1
    for words in ("was dropped", "got lost", "is stale", "has ended", "will end"):  # values of several words
        miner.assign(f"connection {words} by <*>")
    assert miner.assign("connection seems slow by <*>").template_id == 1
    assert miner.assign("connection closed by <*>").template_id == 2
    for word in ("mail", "page", "file", "tape", "card"):  # and now the first word is a value, too
        for verb in ("opened", "closed", "reset", "lost", "stale"):
            miner.assign(f"{word} {verb} by <*>")
    assert miner.assign("connection closed by <*>").template_id == 2
    (kept,) = (template for template in miner.templates if template.template_id == 2)
    assert (kept.text, kept.merged_into) == ("connection closed by <*>", None)


def test_a_template_can_be_kept_before_the_miner_merges_it() -> None:
    miner = Miner()
    numbers = [miner.assign(f"session opened for {name}").template_id for name in ("ann", "ben", "cid", "dan")]
    miner = split(miner, numbers[1])
    for name in ("eve", "fay"):
        miner.assign(f"session opened for {name}")
    assert miner.assign("session opened for ben").template_id == numbers[1]
    assert miner.assign("session opened for cid").template_id == numbers[0]


def test_what_was_split_becomes_one_again() -> None:
    miner = Miner()
    for word in ("opened", "closed", "reset", "lost", "stale"):
        miner.assign(f"connection {word} by <*>")
    again = Miner(
        replace(template, merged_into=1, is_split=False) if template.template_id == 2 else template
        for template in split(miner, 2).templates
    )
    assert again.templates == miner.templates
    assert again.assign("connection closed by <*>").template_id == 1


def test_merged_templates_are_bounded_too() -> None:
    miner, words = Miner(max_templates=2), ["en0"] * 60
    miner.assign(f"down: {': '.join(words)}")
    for place in range(60):  # two more words make it a value, and one of them a template that is merged
        for word in ("en1", "en2"):
            miner.assign(f"down: {': '.join([*['<*>'] * place, word, *words[place + 1 :]])}")
    assert len(miner.templates) == 41


def test_unknown_words_are_alike_only_where_no_template_tells_them_apart() -> None:
    miner = Miner()
    for word in ("ab", "cd", "ef", "gh", "<*>"):
        miner.assign(f"wrote core.{word} now")
    assert miner.assign("wrote core.ij now") == Assignment(1, is_new=False, changed=())
    assert miner.find("wrote core.kl now") == Assignment(1, is_new=False, changed=())
    assert miner.find("wrote more.kl now") is None


NAMES = ("ann", "ben", "cid", "dan", "eve", "fay", "gus", "hal")
COLOURS = ("red", "blue", "green", "grey", "pink", "teal", "gold", "lime")
PAIRS = tuple(map(" ".join, zip(NAMES, COLOURS, strict=True)))


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ([*(f"x:{word} is open" for word in (*NAMES, "zz")), *(f"x:zz is {word}" for word in NAMES)], "x:new is open"),
        (
            [
                *(f"it failed because: {text}" for text in (*NAMES, *PAIRS, "no (one) came")),
                *(f"it failed {word}: no (one) came" for word in NAMES),
            ],
            "it failed because: no (one) came",
        ),
        (
            [
                *(f"{name} soon has left: all is well now" for name in NAMES),
                *(f"zz {text}: all is well now" for text in (*NAMES, *PAIRS)),
            ],
            "zz soon has left: all is well now",
        ),
    ],
    ids=["a word that became known", "the rest of a line", "a value of several words"],
)
def test_what_is_remembered_changes_no_answer(lines: list[str], asked: str) -> None:
    miner = Miner()
    for count, line in enumerate(lines, 1):
        miner.assign(line)
        fresh = Miner(miner.templates)
        for each in (*lines[:count], asked):
            assert miner.find(each) == fresh.find(each)


@pytest.mark.parametrize(
    ("text", "line", "is_found"),
    [
        ("gave up {}", "gave up the ghost: no disk (again)", True),
        ("took {} of it to <*>", "took all day of it to <*>", True),
        ("took {} of it to <*>", "took all day of it to <*>: no disk (again)", False),
    ],
)
def test_free_text_at_the_end_is_any_rest_of_a_line(text: str, line: str, is_found: bool) -> None:
    miner = Miner()
    for a, b in zip("abcdefgh", "stuvwxyz", strict=True):
        miner.assign(text.format(f"{a}{a} {b}{b}"))
    for each in (miner, Miner(miner.templates)):
        assert each.find(line) == (Assignment(1, is_new=False, changed=()) if is_found else None)


def test_a_miner_is_rebuilt_from_what_was_stored() -> None:
    lines = [f"user {name} signed in {how}" for how in ("again", "late") for name in "abcdefg"]
    lines += ["queue empty", "sent <*>", "sent <*>, <*>", "sent <*>, <*>, <*>", *lines]
    whole, stored = Miner(), dict[int, Template]()
    for line in lines:
        rebuilt = Miner(stored.values()).assign(line)
        assert rebuilt == whole.assign(line)
        stored.update({template.template_id: template for template in rebuilt.changed})


def test_parameters_are_what_stands_in_the_places_of_a_template() -> None:
    assert parameters("job <*> took <*> ms", "job a b took  12 ms") == ["a b", "12"]
    assert parameters("<*>", "all of it") == ["all of it"]
    assert parameters("job <*> took <*> ms", "job 1 is late") == []
    assert parameters("ab<*>bc", "abc") == []
    assert parameters("no value", "no value") == []


def test_names_before_values_are_enough_to_know_a_line_by() -> None:
    miner = Miner()
    for word in ("ann", "ben", "cid"):
        miner.assign(f"r1={word} x2=<*>")
    assert miner.find("r1=dan x2=<*>") == Assignment(1, is_new=False, changed=())


def test_a_line_that_was_found_makes_its_like_cheap() -> None:
    miner = Miner([Template(1, "job <*> of queue <*> ended after <*> ms with <*> retries")])
    calls: list[int] = []
    for line in (
        "job a of queue b ended after c ms with d retries",
        "job b of queue a ended after d ms with c retries",
    ):
        calls.append(0)

        def count(*_: object) -> None:
            calls[-1] += 1

        sys.setprofile(count)
        found = miner.find(line)
        sys.setprofile(None)
        assert found == Assignment(1, is_new=False, changed=())
    assert calls[1] < calls[0] / 2
