"""From a request body to records in normal form, each with a verdict of its own.

A body is one JSON document (a log, an array of them, ``{"logs": [...]}``), JSON objects one after the other (NDJSON),
or lines of text. Text is read as such only under ``text/plain``: elsewhere what is not JSON is the client's mistake.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sluice.entries.model import Batch, Record
from sluice.entries.normalise import integer
from sluice.entries.record import BrokenRecord, RecordParser, Refused
from sluice.errors import RejectedInput, Rejection

# Parsed JSON takes up to 60 times its text; these bound it before it is parsed.
MAX_CONTAINERS = 250_000
MAX_COMMAS = 1_000_000
TEXT = "text/plain"
_LINES = frozenset(
    f"application/{name}" for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "jsonlines", "json-seq")
)
# Whatever normalisation would have to touch shows in the JSON text: without a match, records skip that walk.
_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# Numbers of 19 digits, and exponents of two: looked for where digits, signs and the letter e look alike, which takes a
# tenth of the time of a regular expression.
_SHAPE = bytes.maketrans(b"123456789E-", b"000000000e+")
_NUMBERS = (b"0" * 19, b"0e00", b"0e+00")
_DECODER = json.JSONDecoder(parse_int=integer)
_BETWEEN = re.compile("[ \t\r\n\x1e]*")  # U+001E begins a record of application/json-seq
_LINE = re.compile(r"[^\n]+")


def parse_batch(body: bytes, received_at: datetime, *, max_records: int, media_type: str = "") -> Batch:
    """Reads a ``body`` of one of the forms above. ``media_type`` is the Content-Type without its parameters, in lower
    case; it tells text from JSON and is a hint elsewhere.

    Raises RejectedInput if the body as a whole is unusable or holds no acceptable record: ``invalid_utf8``,
    ``invalid_json``, ``invalid_body``, ``empty_batch``, ``batch_too_large`` (413), the record's own code where there
    was just one, ``all_records_rejected``.
    """
    check_size(body)
    text, bad_byte = _decode(body)
    try:
        if media_type == TEXT:
            values = _text_values(text, max_records)
        else:
            values, is_document = _json_values(text, media_type in _LINES, max_records)
            if is_document and bad_byte is not None:
                raise _invalid_utf8(bad_byte)
    except RecursionError as error:
        raise RejectedInput("invalid_json", "the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        if bad_byte is not None:
            raise _invalid_utf8(bad_byte) from error
        raise RejectedInput("invalid_json", _no_json(text, error)) from error
    check_count(len(values), max_records)
    clean = bad_byte is None and not is_suspicious(text) and (media_type != TEXT or "\0" not in text)
    batch = judge(values, RecordParser(received_at, clean=clean))
    if not batch.records:
        raise _all_rejected(batch.rejections)
    return batch


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    begin = text[_skip(text, 0) :][:1]
    if not begin:
        return "the body is empty"
    hint = "" if begin in "{[" else "; lines of text need Content-Type: text/plain"
    return f"{error.msg} at line {error.lineno}, column {error.colno}{hint}"


def check_size(body: bytes) -> None:
    """Raises RejectedInput ``batch_too_large`` for a body that would take too much memory when parsed as JSON."""
    if len(body) <= 2 * MAX_CONTAINERS:  # each takes two brackets
        return
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS or (
        len(body) > MAX_COMMAS and body.count(b",") > MAX_COMMAS
    ):
        detail = (
            f"the body holds more than {MAX_CONTAINERS} JSON objects and arrays, or more than {MAX_COMMAS} commas: "
            "send smaller batches"
        )
        raise RejectedInput("batch_too_large", detail, status=413).violating("batch-values")


def check_count(count: int, max_records: int) -> None:
    """Raises RejectedInput ``batch_too_large`` for too many records."""
    if count > max_records:
        detail = f"more than {max_records} records in one request: send smaller batches"
        raise RejectedInput("batch_too_large", detail, status=413).violating("batch-records")


def is_suspicious(text: str) -> bool:
    """Whether JSON ``text`` may hold what normalisation has to touch."""
    if "NaN" in text or "Infinity" in text or _ESCAPE.search(text):
        return True
    shape = text.encode("utf-8", "surrogatepass").translate(_SHAPE)
    return any(number in shape for number in _NUMBERS)


def judge(values: Iterable[Any], parser: RecordParser) -> Batch:
    """The verdict on each parsed record."""
    records: list[Record] = []
    rejections: list[Rejection] = []
    for index, value in enumerate(values):
        try:
            records.append(parser.record(index, value))
        except Refused as refused:
            rejections.append(Rejection(index, refused.pointer, refused.code, refused.detail))
    return Batch(tuple(records), tuple(rejections))


def _decode(body: bytes) -> tuple[str, int | None]:
    """The text, and where it is not UTF-8: such bytes become lone surrogates, which records replace and flag."""
    try:
        return body.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        return body.decode("utf-8-sig", "surrogateescape"), error.start


def _json_values(text: str, is_lines: bool, max_records: int) -> tuple[list[Any], bool]:
    """The records of a JSON body, and whether it was one document."""
    values: list[Any] = []
    at = _skip(text, 0)
    try:
        while at < len(text):
            value, end = _DECODER.raw_decode(text, at)
            values.append(value)
            at = _skip(text, end)
            check_count(len(values), max_records)
    except (json.JSONDecodeError, RecursionError):
        if values and not isinstance(values[0], dict):
            raise
        if not (values or is_lines or _looks_like_lines(text)):
            raise
        values += _line_values(text, at, max_records - len(values))
        return values, False
    if len(values) == 1:
        return _document_records(values[0]), not is_lines
    if not values or not isinstance(values[0], dict):
        raise json.JSONDecodeError("Extra data" if values else "Expecting value", text, len(text))
    return values, False


def _looks_like_lines(text: str) -> bool:
    """Whether there are several lines and each begins an object, as those of no other JSON text do."""
    count = 0
    for match in _LINE.finditer(text):
        line = match[0].lstrip()
        if line and not line.startswith("{"):
            return False
        count += bool(line)
    return count > 1


def _line_values(text: str, at: int, limit: int) -> Iterator[Any]:
    """The record on each line from ``at`` on, where something is broken: a line is all that a fault may take."""
    count = 0
    for match in _LINE.finditer(text, at):
        line = match[0].strip(" \t\r\x1e")
        if not line:
            continue
        count += 1
        check_count(count, limit)
        try:
            yield _DECODER.decode(line)
        except RecursionError:
            yield BrokenRecord("nested too deeply")
        except json.JSONDecodeError as error:
            yield BrokenRecord(f"{error.msg} at column {error.colno} of its line")


def _document_records(document: Any) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("logs"), list) and "message" not in document:
        document = document["logs"]
    elif isinstance(document, dict):
        document = [document]
    if not isinstance(document, list):
        raise RejectedInput("invalid_body", 'expected a log object, an array of them, or {"logs": [...]}')
    if not document:
        raise RejectedInput("empty_batch", "the request holds no records")
    return document


def _text_values(text: str, max_records: int) -> list[Any]:
    """A log for each line that is not blank. Many a JSON client says text/plain, so JSON logs are read as such."""
    if (document := _json_in_text(text)) is not None:
        return document
    values: list[Any] = []
    for match in _LINE.finditer(text):
        line = match[0].rstrip("\r")
        if not line or line.isspace():
            continue
        value = _json_in_text(line) if line.lstrip().startswith("{") else None
        values.append(value[0] if value else {"message": line})
        check_count(len(values), max_records)
    if not values:
        raise RejectedInput("empty_batch", "the request holds no records")
    return values


def _json_in_text(text: str) -> list[Any] | None:
    """The records of ``text`` if it is one JSON document of logs; else it is text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        records = _document_records(_DECODER.decode(text))
    except (json.JSONDecodeError, RecursionError, RejectedInput):
        return None
    return records if all(isinstance(record, dict) for record in records) else None


def _skip(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _invalid_utf8(position: int) -> RejectedInput:
    return RejectedInput("invalid_utf8", f"byte {position} of the body is not UTF-8")


def _all_rejected(rejections: tuple[Rejection, ...]) -> RejectedInput:
    only = rejections[0]
    if len(rejections) == 1:
        code, detail = only.code, f"record {only.index}, {only.pointer}: {only.detail}"
    else:
        code, detail = "all_records_rejected", f"none of the {len(rejections)} records can be stored, see errors"
    return RejectedInput(code, detail, rejections=rejections)
