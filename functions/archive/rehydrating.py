"""Archived logs come back into the log table, for a while."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sluice.archive.lines import check_content, copy_row, read_line, text_lines
from sluice.archive.model import Rehydration, StoredObject
from sluice.archive.ports import ObjectStore
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.archive.postgres_rehydration import PostgresRehydrations
from sluice.errors import ContractError, RejectedInput
from sluice.search.parse import parse_moment

type Members = Mapping[str, Any]

DEFAULT_DAYS, MAX_DAYS = 7, 90
# List prices of S3 in us-east-1, June 2026, for the coldest class that there is: reading costs nothing before.
_DOLLARS_PER_GIGABYTE, _DOLLARS_PER_REQUEST = 0.03, 0.00001


@dataclass(frozen=True, slots=True)
class Rehydrator:
    """``patiently`` repeats what others hold up."""

    reads: PostgresArchiveReads
    rehydrations: PostgresRehydrations
    objects: ObjectStore
    clock: Callable[[], datetime]
    patiently: Callable[[Callable[[int], None]], None]

    def estimate(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """What ``rehydrate`` would bring back, and what reading it may cost."""
        found = self.rehydrations.estimate(self._application_id(event), *self._span(event))
        dollars = found.byte_count / 1e9 * _DOLLARS_PER_GIGABYTE + found.object_count * _DOLLARS_PER_REQUEST
        return asdict(found) | {"dollars_at_most": round(dollars, 4)}

    def rehydrate(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Brings back the objects of ``application`` with event times from ``since`` up to ``until``, for ``days``; or
        goes on with the rehydration ``id``. Readers see all of it once it is complete."""
        rehydration_id = event.get("id")
        if rehydration_id is None:
            since, until = self._span(event)
            expires_at = self.clock() + timedelta(days=_days(event))
            rehydration_id = self.rehydrations.begin(self._application_id(event), since, until, expires_at)
            if rehydration_id is None:
                return {"rehydration": None}
        self._load(_id(rehydration_id), has_time)
        return {"rehydration": _shown(self.rehydrations.find(rehydration_id))}

    def all(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """All rehydrations."""
        return {"rehydrations": list(map(_shown, self.rehydrations.all()))}

    def release(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Takes the logs of the rehydration ``id`` out of the log table again."""
        found = self.rehydrations.find(_id(event.get("id")))
        self.patiently(partial(self.rehydrations.release, found.rehydration_id))
        return {"released": found.rehydration_id}

    def tidy(self, has_time: Callable[[], bool]) -> None:
        """Ends what has expired, and goes on with what somebody began."""
        for found in self.rehydrations.all():
            if found.expires_at <= self.clock():
                self.patiently(partial(self.rehydrations.release, found.rehydration_id))
            elif found.status == "loading" and has_time():
                self._load(found.rehydration_id, has_time)

    def _load(self, rehydration_id: int, has_time: Callable[[], bool]) -> None:
        found = self.rehydrations.find(rehydration_id)
        if found.status == "ready":
            return
        while item := self.rehydrations.next_object(rehydration_id):
            self.rehydrations.load(rehydration_id, item, self._rows(item, found))
            if not has_time():
                return
        self.patiently(partial(self.rehydrations.attach, rehydration_id))

    def _rows(self, item: StoredObject, found: Rehydration) -> Iterator[str]:
        data = self.objects.get(item.key)
        if data is None:
            raise ContractError("unreadable_object", f"{item.key} is not there")
        check_content(data, sha256=item.sha256, row_count=item.row_count)
        return (copy_row(read_line(text), item.application_id, found.retention_class) for text in text_lines(data))

    def _application_id(self, event: Members) -> int:
        name = event.get("application")
        if not isinstance(name, str):
            raise RejectedInput("invalid_application", "application must be the name of an application")
        return self.reads.application_id(name)

    def _span(self, event: Members) -> tuple[datetime, datetime]:
        now = self.clock()
        since, until = (parse_moment(name, event.get(name), now) for name in ("since", "until"))
        if since is None or until is None or since >= until:
            raise RejectedInput("invalid_since", "since and until must be times of events, since before until")
        return since, until


def _days(event: Members) -> int:
    days = event.get("days", DEFAULT_DAYS)
    if type(days) is not int or not 1 <= days <= MAX_DAYS:
        raise RejectedInput("invalid_days", f"days must be a whole number from 1 to {MAX_DAYS}")
    return days


def _id(value: Any) -> int:
    if type(value) is not int:
        raise RejectedInput("invalid_id", "id must be the id of a rehydration")
    return value


def _shown(found: Rehydration) -> dict[str, Any]:
    times = ("event_from", "event_until", "expires_at")
    return asdict(found) | {name: getattr(found, name).astimezone(UTC).isoformat() for name in times}
