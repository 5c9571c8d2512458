"""Logs of an application or a person are deleted wherever they are, step by step, with a receipt."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sluice.archive.lines import Packer, check_content, read_line, text_lines
from sluice.archive.model import Content, StoredObject
from sluice.archive.ports import ObjectStore
from sluice.archive.postgres_rehydration import PostgresRehydrations
from sluice.entries.model import OPTIONAL_FIELDS, Record
from sluice.entries.packing import unpack_records
from sluice.erasures.model import Erasure, Subject, read_subject
from sluice.erasures.postgres import PostgresErasures
from sluice.errors import ContractError, RejectedInput
from sluice.runtime.crash_points import crash_point
from sluice.search.matching import Log, Test, matcher
from sluice.streams.ports import QueueLedger

type Members = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Eraser:
    """Each step may be the last that a run gets to: the same request goes on, and counts nothing twice."""

    erasures: PostgresErasures
    rehydrations: PostgresRehydrations
    objects: ObjectStore
    queue: QueueLedger
    clear: Callable[[Callable[[], bool]], bool]  # deletes discarded objects; whether all are gone
    clock: Callable[[], datetime]
    patiently: Callable[[Callable[[int], None]], None]

    def erase(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Deletes logs that were accepted before the first call, those of ``application`` with these ``metadata``, or
        ``all``. ``waits`` tells that logs are queued which may be meant: drain, and call again."""
        subject = read_subject(event)
        erasure = self.erasures.begin(subject, self._accepted, self.clock())
        steps: dict[str, Callable[[Erasure, Subject, Callable[[], bool]], bool]] = {
            "queue": self._is_settled,
            "dead_letters": self._dead_letters,
            "rehydrations": self._rehydrations,
            "rows": self._rows,
            "objects": self._objects,
            "quotations": self._quotations,
            "store": self._store,
        }
        while has_time() and erasure.step != "done":
            if not steps[erasure.step](erasure, subject, has_time):
                break
            self.erasures.advance(erasure)
            erasure = self.erasures.find(erasure.erasure_id)
        if erasure.step == "done":
            erasure = self.erasures.complete(erasure, self.clock())
        return {"erasure": self.erasures.find(erasure.erasure_id).receipt(), "waits": erasure.step == "queue"}

    def receipts(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """All receipts, the latest first; or that of ``id``."""
        if event.get("id") is None:
            return {"erasures": [found.receipt() for found in self.erasures.all()]}
        try:
            return {"erasures": [self.erasures.find(UUID(str(event["id"]))).receipt()]}
        except ValueError as error:
            raise RejectedInput("invalid_id", "id must be the id of an erasure") from error

    def _accepted(self, application_id: int) -> dict[int, int]:
        accepted = self.queue.accepted().items()
        return {shard: last for (application, shard), last in accepted if application == application_id}

    def _is_settled(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        """Whether nothing is queued any more that was accepted when the erasure began."""
        return not any(
            queued.application_id == erasure.application_id
            and queued.first_sequence <= erasure.accepted.get(queued.shard, 0)
            for queued in self.queue.queued_ranges()
        )

    def _dead_letters(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        test = matcher(subject.condition)
        while letters := self.erasures.letters(erasure):
            meant = [number for number, queued, is_nobodys in letters if _is_meant(queued, is_nobodys, subject, test)]
            self.erasures.bury(erasure, letters[-1][0], meant)
            if not has_time():
                return False
            erasure = self.erasures.find(erasure.erasure_id)
        if erasure.counts.get("dead_letters"):
            self.patiently(self.erasures.rewrite_dead_letters)
        return True

    def _rehydrations(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        """Copies: they can come back from what is left in the archive."""
        for found in self.rehydrations.all():
            if found.application == subject.application:
                self.patiently(partial(self.rehydrations.release, found.rehydration_id))
        return True

    def _rows(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        self._rewrite(erasure)
        while self.erasures.erase_day(erasure, subject):
            self._rewrite(erasure)
            if not has_time():
                return False
        return True

    def _rewrite(self, erasure: Erasure) -> None:
        for retention_class, day in self.erasures.days_to_rewrite(erasure):
            self.patiently(partial(self.erasures.rewrite_day, erasure, retention_class, day))

    def _objects(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        test = matcher(subject.condition)
        while item := self.erasures.next_object(erasure):
            self._object(erasure, item, test)
            if not has_time():
                return False
            erasure = self.erasures.find(erasure.erasure_id)
        return True

    def _object(self, erasure: Erasure, item: StoredObject, test: Test) -> None:
        data = self.objects.get(item.key)
        if data is None:
            raise ContractError("unreadable_object", f"{item.key} is not there")
        check_content(data, sha256=item.sha256, row_count=item.row_count)
        content, templates = _without(data, test)
        if not templates or content is None:
            self.erasures.swap(erasure, item, templates, None)
            return
        key = f"{item.key.removesuffix('.ndjson.gz')}-{erasure.erasure_id.hex[:8]}.ndjson.gz"
        object_id = self.erasures.announce(item, key)
        self.objects.put(key, content.data)
        if __debug__:
            crash_point("erase.after_put")
        check_content(self.objects.get(key) or b"", sha256=content.sha256, row_count=content.row_count)
        self.erasures.swap(erasure, item, templates, (object_id, content))

    def _store(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        return self.clear(has_time)

    def _quotations(self, erasure: Erasure, subject: Subject, has_time: Callable[[], bool]) -> bool:
        self.patiently(partial(self.erasures.erase_quotations, erasure, subject))
        return True


def _without(data: bytes, test: Test) -> tuple[Content | None, Counter[int]]:
    """The object of the rows that do not fit, None if there are none; and of those that do, how many each template has
    (0: none)."""
    packer, templates = Packer(), Counter[int]()
    for text in text_lines(data):
        line = read_line(text)
        fields = {name: getattr(line, name) for name in OPTIONAL_FIELDS}
        if test(Log(line.log_level, line.message, bytes(line.metadata), fields)):
            templates[line.template_id or 0] += 1
        else:
            packer.add(line.place, line.timestamp, text)
    return (packer.finish() if packer.row_count else None), templates


def _is_meant(queued: bytes, is_nobodys: bool, subject: Subject, test: Test) -> bool:
    """Whether a dead letter is of the subject: what cannot be read is, if it holds all of the values."""
    try:
        records = [] if is_nobodys else list(unpack_records(queued))
    except ContractError:
        records = []
    if records:
        return any(test(_log(record)) for record in records)
    return (not is_nobodys or bool(subject.metadata)) and all(
        value.encode() in queued for value in subject.metadata.values()
    )


def _log(record: Record) -> Log:
    fields = {name: getattr(record, name) for name in OPTIONAL_FIELDS}
    return Log(record.level, record.message, record.metadata.encode(), fields)
