"""What is read in one pass is what the careful parser reads, to the byte; whatever it is not sure of it leaves."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes import NOON
from sluice.entries.decoded import decode
from sluice.entries.model import OPTIONAL_FIELDS
from sluice.entries.normalise import json_text
from sluice.entries.packing import PackedBatch, pack_batch
from sluice.entries.parse import parse_batch
from sluice.entries.usual import _metadata_text, pack_body, pack_single, pack_usual
from sluice.errors import RejectedInput, Rejection

texts = st.text(max_size=20) | st.sampled_from(
    [
        "\\N",
        "tab\there",
        "line\nfeed",
        "back\\slash",
        "\u2028",
        "\x7f",
        'a "word"',
        "\r",
        "ab" * 200,
        "\ud800",
        "\x00",
        "😀",
    ]
)
numbers = (
    st.integers()
    | st.integers(-(2**64), 2**64)
    | st.floats()
    | st.sampled_from([1e16, 1e-4, 9.9e15, 1e-5, -0.0, 1e30, 1e31, 1e-30, 2**63, -(2**63), 2**63 - 1, 10**400, 10**30])
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=6,
)
times = (
    st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat())
    | st.datetimes(NOON.replace(tzinfo=None) - timedelta(days=2), NOON.replace(tzinfo=None) + timedelta(days=2)).map(
        lambda moment: f"{moment.isoformat()}Z"
    )
    | st.sampled_from(
        ["20260301", "2026-03-01", " 2026-03-01T12:00:00Z", "2026-03-01T23:59:60Z", "1772366400", "soon", ""]
    )
    | st.sampled_from(["2026-03-01T12:00:00.1234567Z", "2026-03-01T12:00:00+05:30", "0001-01-01T00:00:00+05:00"])
    | numbers
)
levels = (
    st.sampled_from(["INFO", "error", "Warn", "fatal", "odd", " info", "INFO2", 30, 3, 99, -1, 0.5, True, None])
    | scalars
)
logs = st.fixed_dictionaries(
    {"message": texts | values},
    optional={
        "timestamp": times | values,
        "level": levels,
        "metadata": st.dictionaries(texts, scalars, max_size=4) | values,
        "severity_number": st.integers(0, 25) | values,
        "severity_text": texts | values,
        "user_id": values,
        **dict.fromkeys(OPTIONAL_FIELDS, texts | st.none()),
    },
)
usual_logs = st.fixed_dictionaries(
    {"message": texts},
    optional={
        "timestamp": times,
        "level": levels,
        "metadata": st.dictionaries(texts, scalars | st.lists(scalars, max_size=2), max_size=4),
        **dict.fromkeys(OPTIONAL_FIELDS, texts),
    },
)
several = st.lists(usual_logs, max_size=4) | st.lists(logs, max_size=4)
moments = st.datetimes(NOON.replace(tzinfo=None) - timedelta(days=2), NOON.replace(tzinfo=None) + timedelta(days=2))
forms = st.sampled_from(["array", "one", "envelope", "lines", "spaced"])


def body_of(form: str, records: list[dict[str, Any]], *, ascii_only: bool) -> bytes:
    def text(value: Any, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, **options)

    match form:
        case "array":
            written = text(records)
        case "one":
            written = text(records[0]) if records else "{}"
        case "envelope":
            written = text({"logs": records})
        case "lines":
            written = "\r\n\n".join(text(record) for record in records)
        case _:
            written = f" \n{text(records, indent=2)}\n"
    return written.encode("utf-8", "surrogatepass")


BLOCK_BYTES = (1, 30, 70)  # in which not even a record has room, one or two


class Read(NamedTuple):
    """A packed batch, whatever form its parts are in."""

    parts: list[tuple[int, datetime, datetime, bytes]]
    rejections: tuple[Rejection, ...]
    is_timed: bool


def read(packed: PackedBatch | None) -> Read:
    assert packed is not None
    for part in packed.parts:
        assert part.line_bytes == len(part.lines)
    return Read([(*part[:3], part.lines) for part in packed.parts], *packed[1:])


def careful(body: bytes, max_records: int = 3) -> Read:
    return read(pack_batch(parse_batch(body, NOON, max_records=max_records)))


def assert_equal_or_left(body: bytes) -> None:
    one = pack_single(body, NOON)
    if one is not None:
        assert careful(body)[:2] == read(PackedBatch((one,), (), True))[:2]
    packed = pack_usual(body, NOON, max_records=3)
    if packed is not None:
        assert read(packed) == careful(body)
    for block_bytes in BLOCK_BYTES:
        in_blocks = pack_usual(body, NOON, max_records=3, block_bytes=block_bytes, table_records=1)
        assert in_blocks == packed or read(in_blocks) == careful(body)
        assert (in_blocks is None) == (packed is None)


@given(forms, several, st.booleans())
def test_it_reads_what_the_careful_parser_reads(form: str, records: list[dict[str, Any]], ascii_only: bool) -> None:
    assert_equal_or_left(body_of(form, records, ascii_only=ascii_only))


@given(
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
    st.sampled_from(["Z", "+00:00", "+05:30", "", "+0000", "z"]),
    st.lists(moments, min_size=1, max_size=3),
    st.none()
    | st.sampled_from(
        [
            "2026-03-01T12:00:00Z\n",
            "2026-03-01T12:00:00.5Z",
            "2026-03-01T12:00:00+05:00",
            "2026-02-30T12:00:00Z",
            "2026-03-01T24:00:00Z",
            "٢٠٢٦",
        ]
    ),
)
def test_times_of_one_form(precision: str, zone: str, moments: list[datetime], other: str | None) -> None:
    times = [moment.isoformat(timespec=precision) + zone for moment in moments] + ([] if other is None else [other])
    body = json.dumps([{"message": "m", "timestamp": time} for time in times[-3:]]).encode()
    packed = pack_usual(body, NOON, max_records=3)
    assert read(packed) == careful(body)


@given(st.lists(st.dictionaries(texts, values, max_size=3), min_size=1, max_size=3))
@example([{"a": [{"b": 1}]}, {"a": "5c9e-4e2e-07"}, {"a": 0.00001}])
@example([{str(number): number for number in range(257)}])
@example([{"a": {str(number): number for number in range(257)}}])
@example([{"a": "x" * 65_536}, {"a": 1}])
@example([{"a": json.loads("[" * 18 + "{}" + "]" * 18)}])
@example([{"a": json.loads("[" * 19 + "{}" + "]" * 19)}])
@example([{"a": json.loads("[" * 20 + "{}" + "]" * 20)}])
@example([{"a": json.loads("[" * 20 + "1" + "]" * 20)}])
def test_metadata_of_any_shape(metadata: list[dict[str, Any]]) -> None:
    assert_equal_or_left(json.dumps([{"message": "m", "metadata": item} for item in metadata]).encode())


@given(forms, several, st.booleans(), st.data())
def test_damage_is_never_read_differently(
    form: str, records: list[dict[str, Any]], ascii_only: bool, data: st.DataObject
) -> None:
    body = bytearray(body_of(form, records, ascii_only=ascii_only))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2)
            | st.sampled_from([b'"', b"\\", b"e9", b",", b"}", b"0", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf"])
        )
    assert_equal_or_left(bytes(body))


@given(st.binary(max_size=50))
@example(b'{"message":"m"}\n\x1e{"message":"m"}')
@example(b'{"message":"\xff"}')
@example(b'{"message":"m","severity_number":0}')
@example(b'{"message":"m","severity_text":""}')
@example(b'{"message":"m","metadata":{"a":1e16}}')
@example(b'{"message":"m","metadata":{"a":0.00001}}')
@example(b'{"message":"m","metadata":{"a":9223372036854775808}}')
@example(b'{"message":"m","metadata":{"\xed\xa0\x80":1}}')
@example(b'{"message":"m","message":"n"}')
@example(b'{"message":"m"}{"message":"n"}')
@example(b'{"message":"m","level":' + b"9" * 401 + b"}")
@example(b'{"message":"m","metadata":{"a":[' + b"9" * 5000 + b"]}}")
def test_anything_else(body: bytes) -> None:
    assert_equal_or_left(body)


@given(forms, several)
def test_the_answer_to_a_body_is_one(form: str, records: list[dict[str, Any]]) -> None:
    """Whoever read it, down to the error."""
    body = body_of(form, records, ascii_only=True)
    outcomes = [outcome(careful, body), outcome(lambda body: read(pack_body(body, NOON, max_records=3)), body)]
    assert outcomes[0] == outcomes[1]


def outcome(reader: Callable[[bytes], Read], body: bytes) -> Any:
    try:
        return reader(body)
    except RejectedInput as error:
        return error.code, error.detail, error.status, error.rejections


LOG = {
    "timestamp": "2026-03-01T12:00:00.5Z",
    "level": "warn",
    "message": 'm "q"\n',
    "metadata": {"a": 1.5},
    "host": "h",
}


@pytest.mark.parametrize("form", ["array", "one", "envelope", "lines", "spaced"])
@pytest.mark.parametrize("special", [{}, {"level": "odd"}, {"timestamp": "soon"}, {"metadata": {"a": {"b": 2**70}}}])
def test_the_usual_forms_are_read_in_one_pass(form: str, special: dict[str, Any]) -> None:
    """Otherwise the properties above would prove nothing."""
    body = body_of(form, [LOG | special, LOG], ascii_only=True)
    assert pack_usual(body, NOON, max_records=3) is not None
    assert_equal_or_left(body)


@pytest.mark.parametrize(
    "special",
    [
        {},
        {"message": "m"},
        {"message": "ä 😀 \\ \t"},
        {"host": "a\\b"},
        {"metadata": None},
        {"metadata": {"a": "-e-"}},
        {"metadata": {'"': "\\\n", "ü": None}},
        {"level": 30},
        *({"timestamp": time} for time in (None, "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123+00:00")),
        *({"timestamp": f"2026-03-01T12:00:00{rest}"} for rest in (".123456Z", ".123456789Z", "+02:00")),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_usual_log_on_its_own_is_read_at_once(special: dict[str, Any], ascii_only: bool) -> None:
    body = body_of("one", [LOG | special], ascii_only=ascii_only)
    assert pack_single(body, NOON) is not None
    assert_equal_or_left(body)


TIMED: dict[str, Any] = {"timestamp": "2026-03-01T12:00:00.500Z", "host": "h"}
SPECIAL = {"message": "m", "timestamp": "Sun, 01 Mar 2026 11:00:00 GMT", "metadata": {"a": 2**70}, "level": "odd"}


@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001, 2_600])
@pytest.mark.parametrize("characters", [1, 999])
@pytest.mark.parametrize("special", [[], [0], [999, 1_000]])
def test_large_bodies_fall_into_the_same_parts(count: int, characters: int, special: list[int]) -> None:
    records = [TIMED | {"message": "m" * characters} for _ in range(count)]
    for position in special:
        records[position:] = [SPECIAL, *records[position + 1 :]]
    body = json.dumps({"logs": records}).encode()
    packed = pack_usual(body, NOON, max_records=3_000)
    assert packed is not None
    assert read(packed) == careful(body, max_records=3_000)


@pytest.mark.parametrize("form", ["array", "envelope", "lines"])
def test_logs_with_other_fields_than_those_before_are_read(form: str) -> None:
    """A block is read as its like were: what they did not have must not be lost."""
    records: list[dict[str, Any]] = [
        LOG,
        {"message": "m"},
        LOG | {"trace_id": "a"},
        {"message": "m", "metadata": {"a": {"b": 1}}},
        LOG,
    ]
    body = body_of(form, records, ascii_only=True)
    packed = pack_usual(body, NOON, max_records=5, block_bytes=40)
    assert packed is not None
    assert read(packed) == careful(body, max_records=5)


def test_blocks_are_decoded_into_what_there_was_before() -> None:
    """And what comes anew, to what is still fast."""
    nested = LOG | {"metadata": {"a": {"b": 1}}}
    for form in ("array", "envelope", "lines"):
        body = body_of(form, [LOG, LOG, LOG | {"trace_id": "a"}, nested, LOG, LOG], ascii_only=True)
        blocks = [block for block in decode(body, 1) if block.logs]
        assert [block.are_flat for block in blocks] == [True, True, True, False, True, True], form
        assert blocks[1].columns.keys() == blocks[5].columns.keys() == LOG.keys(), form
        assert blocks[2].columns.keys() > LOG.keys(), form


@pytest.mark.parametrize("between", [",", ", ", ",\n", "\r\n , \t"])
@pytest.mark.parametrize("message", ["m", "[{},{}]", "}, {"])
def test_arrays_are_divided_whatever_is_between_records(between: str, message: str) -> None:
    records = [json.dumps(LOG | {"message": message, "metadata": {"a": number}}) for number in range(50)]
    blocks = list(decode(f"[{between.join(records)}]".encode(), 500))
    assert sum(len(block.logs) for block in blocks) == 50
    assert len(blocks) > (5 if message == "m" else 1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"logs":[{"message":"m"},{"message":"n"}],"logs":[{"message":"o"}]}',
        b'{"logs":[{"message":"m"},{"message":"n"}],"more":[{"message":"o"}]}',
        b'[{"message":"m"},{"message":"n"}],[{"message":"o"}]',
        b'[{"message":"m"},{"message":"n"},]',
        b'[{"message":"m"},,{"message":"n"}]',
        b'{"lo gs":[{"message":"m"},{"message":"n"}]}',
        b'{"logs"\x0b:[{"message":"m"},{"message":"n"}]}',
        b'{"logs"[{"message":"m"},{"message":"n"}]}',
        b'[{"message":"m"},{"message":"n"}]]',
        b'[[{"message":"m"},{"message":"n"}]]',
        b'[{"message":"m","metadata":{"a":[{},{},{}]}},{"message":"n"}]',
        b'[{"message":"},{},{"},{"message":"n"}]',
        b'[{"message":"}, {"}, {"message":"},{"}]',
    ],
)
def test_what_looks_like_the_end_of_a_record_is_looked_at(body: bytes) -> None:
    assert_equal_or_left(body)


def test_metadata_that_grow_are_counted_as_they_are_stored() -> None:
    """Where a part ends must be the same whoever reads the body: these are longer in their normal form."""
    body = json.dumps([{"message": "m", "metadata": {str(n): 1e15 for n in range(250)}} for _ in range(300)]).encode()
    body = body.replace(b"1000000000000000.0", b"1e15").replace(b" ", b"")
    packed = pack_usual(body, NOON, max_records=300)
    assert len(body) < 1_000_000
    assert packed is not None
    assert len(packed.parts) > 1
    assert read(packed) == careful(body, max_records=300)


@pytest.mark.parametrize(
    "times",
    [
        ["2026-03-01T12:00:00Z", "2026-03-01T12:01:61Z", "2026-03-01T12:02:00Z"],
        ["2026-02-28T12:00:00Z", "2026-02-30T12:00:00Z", "2026-03-01T12:00:00Z"],
        ["2026-03-01T12:00:00Z", "2026-03-01T12:00:61Z"],
        ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00+05:00"],
        ["2026-03-01T12:00:59Z", "2026-03-01T12:00:01Z", "2026-03-01T12:00:30Z"],
        ["2026-03-01T11:59:59Z", "2026-03-03T12:00:00Z", "2026-02-20T12:00:00Z"],
    ],
)
def test_times_of_one_form_are_judged_one_by_one(times: list[str]) -> None:
    body = json.dumps([{"message": "m", "timestamp": time} for time in times]).encode()
    packed = pack_usual(body, NOON, max_records=3)
    assert packed is not None
    assert read(packed) == careful(body)


def test_nested_metadata_are_written_by_the_faster_writer() -> None:
    item = {"a": {"b": [1, 2.5, "c", None, True], "d": {}}, "e": 1}
    assert _metadata_text(item) == json_text(item)
    assert _metadata_text({"a": {"b": [1e16]}}) == ""
