"""Archived logs are searched where they are, object by object."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sluice.archive.lines import Line, document, read_line, text_lines
from sluice.archive.model import Family, StoredObject
from sluice.archive.ports import ObjectStore
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.entries.model import OPTIONAL_FIELDS
from sluice.errors import ContractError, RejectedInput
from sluice.search.matching import Log, Test, matcher, piece_matcher
from sluice.search.model import AllOf, AnyOf, Condition, Filters, Not, OfTemplate
from sluice.search.parse import FILTERS, parse_filters

type Members = Mapping[str, Any]

MAX_LOGS = 1_000
MAX_ANSWER_BYTES = 4_000_000
_OBJECTS_AT_ONCE = 20
_LINES_AT_ONCE = 2_000  # between two looks at the clock


@dataclass(frozen=True, slots=True)
class Place:
    """How far a search is: behind so many lines of an object."""

    day: date = date.min
    object_id: int = 0
    line: int = 0

    def to_text(self) -> str:
        """Opaque text for the next call."""
        return base64.urlsafe_b64encode(json.dumps([str(self.day), self.object_id, self.line]).encode()).decode()

    @classmethod
    def from_text(cls, text: object) -> "Place":
        """Raises RejectedInput ``invalid_cursor``."""
        try:
            day, object_id, line = json.loads(base64.urlsafe_b64decode(str(text)))
            return cls(date.fromisoformat(day), int(object_id), int(line))
        except (ValueError, TypeError, binascii.Error) as error:
            raise RejectedInput("invalid_cursor", "pass the cursor of the answer before, unchanged") from error


@dataclass(slots=True)
class _Answer:
    """Logs that fit, up to a limit."""

    limit: int
    logs: list[dict[str, Any]]
    size_bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.logs) >= self.limit or self.size_bytes >= MAX_ANSWER_BYTES

    def add(self, log: dict[str, Any]) -> None:
        self.logs.append(log)
        self.size_bytes += len(json.dumps(log))


@dataclass(frozen=True, slots=True)
class Searcher:
    """Memory holds one object, however much there is to search."""

    reads: PostgresArchiveReads
    objects: ObjectStore
    clock: Callable[[], datetime]

    def search(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Logs of ``application`` that fit ``q`` and the other filters of the API, in the order of receipt (about),
        behind ``cursor``. ``cursor`` of the answer is None when that was all; ``progress`` counts what was read."""
        name = event.get("application")
        if not isinstance(name, str):
            raise RejectedInput("invalid_application", "application must be the name of an application")
        application_id = self.reads.application_id(name)
        filters = _filters(event, self.clock())
        place = Place.from_text(event["cursor"]) if event.get("cursor") is not None else Place()
        answer = _Answer(_limit(event), [])
        test = self._test(filters, name)
        end: Place | None = place
        while end is not None and has_time() and not answer.is_full:
            end = self._step(end, application_id, filters, test, answer, name, has_time)
        behind = (date.max, 2**62) if end is None else (end.day, end.object_id - (1 if end.line else 0))
        objects, rows, objects_done, rows_done = self.reads.count_of(
            application_id, filters.since, filters.until, behind
        )
        progress = {"objects": objects, "rows": rows, "objects_done": objects_done, "rows_done": rows_done}
        return {"logs": answer.logs, "cursor": end and end.to_text(), "progress": progress}

    def _step(
        self,
        place: Place,
        application_id: int,
        filters: Filters,
        test: Callable[[Line], bool],
        answer: _Answer,
        name: str,
        has_time: Callable[[], bool],
    ) -> Place | None:
        """Reads some objects; returns where to go on, or None at the end."""
        after = (place.day, place.object_id - 1 if place.line else place.object_id)
        found = self.reads.objects_of(application_id, filters.since, filters.until, after, _OBJECTS_AT_ONCE)
        for item in found:
            begun = place.line if item.object_id == place.object_id else 0
            line = self._read(item, begun, test, answer, name, has_time)
            if line is not None:
                return Place(item.day, item.object_id, line)
            place = Place(item.day, item.object_id)
            if answer.is_full or not has_time():
                return place
        return place if len(found) == _OBJECTS_AT_ONCE else None

    def _read(
        self,
        item: StoredObject,
        begun: int,
        test: Callable[[Line], bool],
        answer: _Answer,
        name: str,
        has_time: Callable[[], bool],
    ) -> int | None:
        """Reads an object from a line on; returns the line behind which it stopped, None if that is the last."""
        data = self.objects.get(item.key)
        if data is None:
            raise ContractError("unreadable_object", f"{item.key} is not there")
        for number, text in enumerate(text_lines(data), 1):
            if number <= begun:
                continue
            line = read_line(text)
            if test(line):
                answer.add(document(line, name))
            if answer.is_full or (number % _LINES_AT_ONCE == 0 and not has_time()):
                return number if number < item.row_count else None
        return None

    def _test(self, filters: Filters, name: str) -> Callable[[Line], bool]:
        families = self.reads.template_families(sorted(_templates(filters.condition)))
        tests: list[Test] = [matcher(filters.condition)]
        if filters.text:
            tests.append(piece_matcher(filters.text))

        def test(line: Line) -> bool:
            if filters.since is not None and line.timestamp < filters.since:
                return False
            if filters.until is not None and line.timestamp >= filters.until:
                return False
            if filters.batch_id is not None and line.place.batch_id != filters.batch_id:
                return False
            log = searchable(line, name, families)
            return all(one(log) for one in tests)

        return test


def searchable(line: Line, application: str, families: Mapping[int, Family]) -> Log:
    """The line as conditions see it."""
    fields = {name: getattr(line, name) for name in OPTIONAL_FIELDS} | {"application": application}

    def is_of(template_id: int) -> bool:
        family = families.get(template_id)
        return family is not None and (
            line.template_id in family.template_ids or line.template_key in family.template_keys
        )

    return Log(line.log_level, line.message, bytes(line.metadata), fields, is_of)


def _templates(condition: Condition) -> set[int]:
    match condition:
        case OfTemplate(template_id):
            return {template_id}
        case Not(negated):
            return _templates(negated)
        case AllOf(conditions) | AnyOf(conditions):
            return set().union(*map(_templates, conditions))
    return set()


def _filters(event: Members, now: datetime) -> Filters:
    named = {key: value for key, value in event.items() if key in FILTERS or key.startswith("metadata.")}
    if not all(isinstance(value, str) for value in named.values()):
        raise RejectedInput("invalid_query", "filters must be text")
    return parse_filters({key: value for key, value in named.items() if key != "application"}, now)


def _limit(event: Members) -> int:
    limit = event.get("limit", MAX_LOGS)
    if type(limit) is not int or not 1 <= limit <= MAX_LOGS:
        raise RejectedInput("invalid_limit", f"limit must be a whole number from 1 to {MAX_LOGS}")
    return limit
