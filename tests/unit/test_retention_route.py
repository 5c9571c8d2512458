"""Which class the records of a queued entry are kept in."""

import pytest

from samples import record, stream_entry
from sluice.entries.model import Level
from sluice.entries.packing import pack_record
from sluice.retention.route import portions


def test_each_level_goes_to_its_class_and_the_rest_stays() -> None:
    lines = [pack_record(record(n, level=level)) for n, level in enumerate((Level.INFO, Level.ERROR, Level.INFO))]
    found = portions(stream_entry(lines), {int(Level.ERROR): 7})
    assert [(item.retention_class, item.lines) for item in found] == [(1, lines[0] + lines[2]), (7, lines[1])]


@pytest.mark.parametrize("level", [b"", b"x", b"-20", b"020", b"9" * 4_301])
def test_a_level_that_is_none_stays_where_it_is(level: bytes) -> None:
    entry = stream_entry([b"0\tx\t" + level + b"\n"])
    assert portions(entry, {20: 7}) == [entry]
