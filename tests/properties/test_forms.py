"""One request says the same in each of its forms."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import NOON
from otlp import JSON, PROTOBUF, json_request, log, protobuf_request
from sluice.entries.packing import pack_record, unpack_records
from sluice.entries.parse import parse_batch
from sluice.errors import RejectedInput
from sluice.protocols.otlp import parse_otlp

any_text = st.text(st.characters())
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(any_text, children, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["message", "msg", "time", "timestamp", "level", "severity", "hostname", "pid", "metadata"])
documents = st.dictionaries(names | any_text, any_json, max_size=6)

unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | unicode | st.binary(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(unicode, children, max_size=3),
    max_leaves=8,
)
attributes = st.dictionaries(unicode, values, max_size=4)
otlp_logs = st.builds(
    log,
    values,
    time=st.integers(0, 2**64 - 1),
    observed=st.integers(0, 2**64 - 1),
    severity_number=st.integers(0, 24),
    severity_text=unicode,
    attributes=attributes,
    trace_id=st.sampled_from([b"", bytes(16), bytes(range(16)), b"x"]),
    flags=st.integers(0, 2**32 - 1),
    event_name=unicode,
)


def verdict(body: bytes, media_type: str) -> Any:
    """The batch, or how it was refused."""
    try:
        return parse_batch(body, NOON, max_records=10, media_type=media_type)
    except RejectedInput as error:
        return error.code, error.rejections


@given(st.lists(documents, min_size=1, max_size=4))
def test_lines_say_what_an_array_says(sent: list[Any]) -> None:
    lines = "\n".join(map(json.dumps, sent)).encode()
    if len(sent) > 1 or "logs" not in sent[0]:
        assert verdict(lines, "application/x-ndjson") == verdict(json.dumps(sent).encode(), "application/json")


@settings(deadline=None)
@given(st.lists(otlp_logs, max_size=3), attributes, attributes, unicode)
def test_otlp_says_the_same_in_both_encodings(sent: list[Any], resource: Any, scope: Any, name: str) -> None:
    about = (sent, resource, scope, name)
    in_protobuf = parse_otlp(protobuf_request(*about), NOON, max_records=10, media_type=PROTOBUF)
    in_json = parse_otlp(json_request(*about), NOON, max_records=10, media_type=JSON)
    assert in_protobuf == in_json
    assert len(in_json.records) == len(sent)
    for record in in_json.records:
        assert list(unpack_records(pack_record(record))) == [record]
        assert "\x00" not in record.message
