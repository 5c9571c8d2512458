import io

import pytest
from rich.console import Console

from sluice_cli.render import ledger_table, log_lines, make_table, printable, write_line


def console(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=width, highlight=False)


def shown(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ß 🫖\n\ttabbed", "plain ß 🫖\n\ttabbed"),
        ("\x1b[2J", "\\x1b[2J"),
        ("bell\x07 back\x08 return\r", "bell\\x07 back\\x08 return\\r"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("lone \ud800", "lone \\ud800"),
        ("turned \u202e around", "turned \\u202e around"),
    ],
)
def test_nothing_from_outside_can_steer_the_terminal(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_markup_in_a_log_is_only_text() -> None:
    target = console(80)
    write_line(target, "[red]not red[/red] [link=x]")
    assert "[red]not red[/red] [link=x]" in shown(target)


def test_a_log_is_coloured_by_level_and_further_lines_are_set_in() -> None:
    target = console(80)
    log = {"timestamp": "2026-11-24T12:00:00.123Z", "level": "ERROR", "application": "shop", "message": "a\n  b"}
    target.print(log_lines(log), soft_wrap=True)
    lines = shown(target).splitlines()
    assert "2026-11-24 12:00:00" in lines[0]
    assert "\x1b[31m" in lines[0]
    assert "      b" in lines[1]


def test_a_ledger_of_large_numbers_fits_80_columns() -> None:
    counts = dict.fromkeys(("accepted", "stored", "duplicate", "dead_lettered", "in_flight", "unaccounted"), 123_456)
    counts |= {"accepted": 9_876_543_210, "stored": 9_876_543_210}
    target = Console(file=io.StringIO(), width=80)
    target.print(ledger_table({"applications": [{"application": "checkout-service", **counts}], "total": counts}))
    lines = shown(target).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("9,876,543,210" in line for line in lines) == 2


def test_long_cells_are_folded_not_cut() -> None:
    target = console(40)
    target.print(make_table(("name", "x"), [("y" * 70, "z")]))
    assert shown(target).count("y") == 70
