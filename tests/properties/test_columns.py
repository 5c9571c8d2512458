"""Records by column are the same records as lines, for whoever reads them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copies import read_lines, read_rows
from fakes import NOON
from samples import by_column, record, stream_entry
from sluice.chunks.rows import copied, entry_rows, position_range
from sluice.entries.columns import COLUMNS, MARK, Column, Table, TableWriter, cut, each, records_of
from sluice.entries.packing import RECORD_COLUMNS, pack_record
from sluice.entries.usual import pack_usual
from sluice.streams.model import StreamEntry
from sluice.templates.census import census
from sluice.templates.clusters import known_cluster, masked_lines, unmined_clusters

cells = st.text(st.characters(exclude_characters="\t\n\r\\\0", exclude_categories=["Cs"]), max_size=5)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, list[Column]]:
    count = draw(st.integers(1, 4))
    each_its_own = st.lists(cells, min_size=count, max_size=count)
    column = each_its_own | each_its_own.map(lambda texts: "\n".join(texts).encode()) | cells.filter(bool)
    return count, [*draw(st.lists(column, min_size=len(COLUMNS) - 1, max_size=len(COLUMNS) - 1)), draw(each_its_own)]


@given(st.lists(blocks(), min_size=1, max_size=3), st.sampled_from([0, 7, 98, 999, 12_345]))
def test_a_table_is_read_as_it_was_written(written: list[tuple[int, Sequence[Column]]], first: int) -> None:
    writer = TableWriter(first)
    rows: list[tuple[str, ...]] = []
    for count, block in written:
        writer.add(count, block)
        rows += zip(*(each(column, count) for column in block), strict=True)
    packed, line_bytes = writer.table()
    expected = "".join("\t".join((str(n), *row)) + "\n" for n, row in enumerate(rows, first)).encode()
    table = Table(packed, len(rows))
    assert table.lines() == expected
    assert writer.lines() == (expected, line_bytes)
    assert line_bytes == len(expected)
    for name, texts in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        assert table.column(name) == [text.encode() for text in texts]


@given(blocks(), st.integers(0, 4), st.integers(0, 4))
def test_a_cut_column_has_the_texts_between(block: tuple[int, Sequence[Column]], start: int, stop: int) -> None:
    count, made = block
    for column in made:
        if chosen := each(column, count)[start:stop]:
            assert each(cut(column, slice(start, stop)), len(chosen)) == chosen


def packed_table(count: int = 2) -> bytes:
    writer = TableWriter(0)
    writer.add(count, ["x"] * (len(COLUMNS) - 1) + [["y"] * count])
    return writer.table()[0]


@pytest.mark.parametrize(
    ("packed", "count"),
    [
        (packed_table(), 1),
        (packed_table(), 3),
        (packed_table(), 0),
        (packed_table(), -1),
        (packed_table(), 2**31 - 1),
        (packed_table()[:-1], 2),
        (packed_table() + b"more", 2),
        (packed_table() + b"more\n", 2),
        (packed_table().replace(b"y\n", b"\0\n", 1), 2),
        (packed_table().replace(MARK + b"x", b"", 1), 2),
        (packed_table().replace(b"\0000", b"\0-1"), 2),
        (packed_table().replace(b"\0000", b"\0" + b"9" * 5_000), 2),
        (packed_table().replace(b"\0000", b"\0"), 2),
        (MARK + MARK.join([b"0", *[b"x"] * len(COLUMNS)]) + b"\n", 2**31 - 1),
        (MARK, 1),
    ],
)
def test_what_is_no_table_of_so_many_records_is_refused(packed: bytes, count: int) -> None:
    with pytest.raises(ValueError, match=r"differ|position|texts"):
        records_of(packed, count)


logs = st.fixed_dictionaries(
    {
        "message": st.sampled_from(["order 1 placed", "", "tab\t and 'ü' \\ 7", "\\N", "9"]),
        "metadata": st.just({"a": 1}),
    },
    optional={
        "timestamp": st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T11:59:00.5Z", "soon", 1_772_366_400]),
        "level": st.sampled_from(["INFO", "error", "odd", 3, None]),
        "severity_number": st.integers(1, 24),
        "trace_id": st.sampled_from(["0" * 32, "A" * 32, "a" * 31, None]),
        "service": st.sampled_from(["shop", "", None]),
        "version": st.sampled_from(["1.0", "2.0", None]),
    },
)


def both(sent: list[dict[str, Any]]) -> tuple[StreamEntry, StreamEntry]:
    packed = pack_usual(json.dumps(sent).encode(), NOON, max_records=100, table_records=1)
    assert packed is not None
    (part,) = packed.parts
    by_column = stream_entry([], records=records_of(part.content, len(sent)), record_count=len(sent))
    assert isinstance(by_column.records, Table)
    return by_column, replace(by_column, records=by_column.lines)


@given(st.lists(logs, min_size=1, max_size=6), st.booleans(), st.sets(st.integers(0, 5)))
def test_storing_takes_either_form(sent: list[dict[str, Any]], is_clustered: bool, dead: set[int]) -> None:
    entries = both(sent)
    masked = masked_lines(entries[0].records)
    assert masked == masked_lines(entries[1].records)
    if is_clustered:
        clusters = [known_cluster(1, 2), *unmined_clusters(1, entries[0].records)][: len(sent)]
        entries = replace(entries[0], clusters=clusters), replace(entries[1], clusters=clusters)
        counts = [census([entry], {(id(entry), number) for number in dead}) for entry in entries]
        assert counts[0] == counts[1]
    assert position_range(entries[0]) == position_range(entries[1])
    texts = [b"".join(row.text for row in entry_rows(entry)) for entry in entries]
    (binary, rows), (text, lines) = map(copied, entries)
    assert (binary.is_binary, text.is_binary) == (True, False)
    assert binary.columns == text.columns
    assert texts == [lines, lines]
    assert read_rows(rows, binary.columns) == read_lines(lines, text.columns)


def test_columns_are_the_fields_of_a_line() -> None:
    severity = ("level", "severity_number", "severity_text")
    fields = [name for column in COLUMNS for name in (severity if column == "severity" else (column,))]
    assert ["position", *fields] == list(RECORD_COLUMNS)


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-01T00:00:00.00000+00:00", "2026-01-01T00:00:00.0000001+00:00"],
        ["-2026-01-01T00:00:00.0000+00:00", "2026-01-01T00:00:00.000000+00:00"],
        ["2026-01-01T00:00:00.000000+00:00", "2026-01-01T00:00:00.000000+05:30"],
        ["2026-01-01T00:00:60.000000+00:00", "2026-01-01T00:00:00.000000+00:00"],
        ["2026-13-01T00:00:00.000000+00:00", "2026-01-01T00:00:00.000000+00:00"],
        ["yesterday", "2026-01-01T00:00:00.000000+00:00"],
    ],
)
def test_times_of_another_form_are_left_to_the_database(times: list[str]) -> None:
    entry = by_column(stream_entry([pack_record(record(number)) for number in range(2)]))
    assert isinstance(entry.records, Table)
    entry.records.columns[COLUMNS.index("event_at")] = [f"{time}\n".encode() for time in times]
    form, rows = copied(entry)
    assert not form.is_binary
    assert [line.split("\t")[form.columns.index("event_at")] for line in rows.decode().splitlines()] == times
