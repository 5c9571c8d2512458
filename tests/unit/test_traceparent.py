"""The header traceparent: what is kept of it, and what is none."""

import pytest

from sluice.streams.traceparent import read_traceparent

TRACE, PARENT = "ab1" + 29 * "0", "cd" * 8
VALID = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("header", [VALID, f"00-{TRACE}-{PARENT}-00", f"  {VALID} ", f"42-{TRACE}-{PARENT}-ff"])
def test_a_valid_one_is_kept(header: str) -> None:
    assert read_traceparent(header) == header.strip()


def test_what_a_later_version_adds_is_not() -> None:
    assert read_traceparent(f"cc-{TRACE}-{PARENT}-01-what-the-future-is") == f"cc-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "nonsense", VALID.upper(), f"{VALID}-x", f"{VALID}0", VALID[:-1], f"ff-{TRACE}-{PARENT}-01"),
        *(
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE}-{PARENT}-0x",
            VALID.replace("-", "_"),
        ),
        *(f"cc-{TRACE}-{PARENT}-01x", f"00-{TRACE}\n{PARENT}-01", f"00-{TRACE[:-1]}٣-{PARENT}-01", "\0" * 55),
    ],
)
def test_an_invalid_one_is_ignored(header: str | None) -> None:
    assert read_traceparent(header) is None
