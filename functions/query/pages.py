"""A page of logs in the form that was asked for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from chalice.app import Response

from sluice.applications.model import KeyRecord
from sluice.errors import RejectedInput
from sluice.runtime.http import json_response
from sluice.search.export import CSV_FIELDS, csv_text, ndjson
from sluice.search.model import DOCUMENT_FIELDS, MAX_EXPORT_LIMIT, MAX_LIMIT, METADATA, Cursor, LogQuery, Page
from sluice.search.parse import parse_choice, parse_query

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

FORMATS = ("json", "ndjson", "csv")
MAX_FIELDS = 64


def page_response(reads: Reads, key: KeyRecord, parameters: Mapping[str, str]) -> Response:
    """The answer to GET /api/logs. Raises what parsing and reading do, and RejectedInput ``invalid_format``,
    ``invalid_fields``."""
    form = parse_choice("format", parameters.get("format"), FORMATS)
    if form == "json":
        page = reads.page(key, _query(reads, parameters, MAX_LIMIT))
        cursors = {"next_cursor": _text(page.next_cursor), "previous_cursor": _text(page.previous_cursor)}
        return json_response({"logs": page.logs, **cursors, "partial": page.is_partial})
    query = _query(reads, {"limit": str(MAX_EXPORT_LIMIT), **parameters}, MAX_EXPORT_LIMIT)
    page = reads.page(key, query)
    if form == "ndjson":
        return Response(ndjson(page.logs), {"Content-Type": "application/x-ndjson", **_links(page, parameters)})
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="logs.csv"'}
    return Response(csv_text(page.logs, query.fields or CSV_FIELDS), {**headers, **_links(page, parameters)})


def _query(reads: Reads, parameters: Mapping[str, str], max_limit: int) -> LogQuery:
    query = parse_query(parameters, reads.now(), "format", "fields", max_limit=max_limit)
    return replace(query, fields=_fields(parameters.get("fields", "")))


def _fields(text: str) -> tuple[str, ...]:
    fields = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    for name in fields:
        if name not in DOCUMENT_FIELDS and not name.startswith(METADATA):
            known = ", ".join((*DOCUMENT_FIELDS, f"{METADATA}KEY"))
            raise RejectedInput("invalid_fields", f"{name!r} is none of {known}")
    if len(fields) > MAX_FIELDS:
        raise RejectedInput("invalid_fields", f"at most {MAX_FIELDS} fields can be chosen")
    return fields


def _links(page: Page, parameters: Mapping[str, str]) -> dict[str, str]:
    """Where the next page is, if there is one: as a link relative to this page, and its cursor alone."""
    headers = {"Sluice-Partial": "true"} if page.is_partial else {}
    if page.next_cursor is None:
        return headers
    cursor = page.next_cursor.to_text()
    link = f'<?{urlencode({**parameters, "cursor": cursor})}>; rel="next"'
    return headers | {"Link": link, "Sluice-Next-Cursor": cursor}


def _text(cursor: Cursor | None) -> str | None:
    return cursor.to_text() if cursor else None
