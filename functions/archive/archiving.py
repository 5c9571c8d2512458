"""Days leave the log table, one after the other, and what has to go leaves the object store."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from sluice.archive.lines import check_content
from sluice.archive.model import DueDay, OpenDay, Slice
from sluice.archive.ports import ObjectStore
from sluice.archive.postgres import LOCK_MILLISECONDS, PostgresArchive
from sluice.errors import ContractError, Unavailable
from sluice.runtime.crash_points import crash_point

# For a lock: short at first, so that nobody who waits behind us notices, and longer only where somebody always reads.
WAITS_MILLISECONDS = (10, 20, 40, 80, 160, *[LOCK_MILLISECONDS] * 20)
_PAUSE_SECONDS = 0.5


class Patience(Protocol):
    """Repeats what readers hold up: they hold a partition for as long as their query runs, and who waits for them makes
    others wait. ``act`` is told for how many milliseconds it may wait for a lock."""

    def __call__[Result](self, act: Callable[[int], Result], /) -> Result: ...


def patiently[Result](act: Callable[[int], Result], /, sleep: Callable[[float], None] = time.sleep) -> Result:
    """See Patience. Raises what the last attempt does."""
    *waits, last = WAITS_MILLISECONDS
    for milliseconds in waits:
        try:
            return act(milliseconds)
        except Unavailable:
            sleep(_PAUSE_SECONDS)
    return act(last)


@dataclass(slots=True)
class Archiving:
    """What one run did. ``lag_seconds``: by how much the oldest day that is left has outstayed its time."""

    days_dropped: int = 0
    rows_archived: int = 0
    rows_deleted: int = 0
    objects_written: int = 0
    bytes_written: int = 0
    objects_deleted: int = 0
    days_left: int = 0
    lag_seconds: int = 0
    is_busy: bool = False  # another run is at work: this one did nothing


@dataclass(frozen=True, slots=True)
class Archiver:
    """One run at a time."""

    archive: PostgresArchive
    objects: ObjectStore
    clock: Callable[[], datetime]
    patiently: "Patience"

    def run(self, has_time: Callable[[], bool]) -> Archiving:
        """Works until nothing is due or time is up; the next run goes on from there. Raises Unavailable and
        ContractError; what was done before stays done."""
        done = Archiving()
        self.archive.expire(self.clock().date())
        self._delete(done, has_time)
        for due in self.archive.due(self.clock().date()):
            if has_time():
                self._archive(due, done, has_time)
        self._delete(done, has_time)
        left = self.archive.due(self.clock().date())
        done.days_left = len(left)
        done.lag_seconds = max((due.overdue_days for due in left), default=0) * 86_400
        return done

    def clear(self, has_time: Callable[[], bool]) -> bool:
        """Deletes discarded objects, some at least; returns whether all of them are gone."""
        while self._delete_some(Archiving()):
            if not has_time():
                return False
        return True

    def _archive(self, due: DueDay, done: Archiving, has_time: Callable[[], bool]) -> None:
        opened = self._open(due)
        while opened and has_time():
            wanted = self.archive.announce(opened) if due.is_archived else None
            if wanted is None:
                row_count = self.patiently(partial(self.archive.drop, opened))
                if row_count is not None:
                    done.days_dropped += 1
                    done.rows_archived += row_count if due.is_archived else 0
                    done.rows_deleted += 0 if due.is_archived else row_count
                    return
                opened = self._open(due)
            elif not self._write(opened, wanted, done):
                opened = self._open(due)

    def _open(self, due: DueDay) -> OpenDay | None:
        return self.patiently(partial(self.archive.open, due))

    def _write(self, opened: OpenDay, wanted: Slice, done: Archiving) -> bool:
        """Writes an object and reads it back; False if the day has changed."""
        content = self.archive.read(opened, wanted)
        if content is None:
            return False
        self.objects.put(wanted.key, content.data)
        if __debug__:
            crash_point("archive.after_put")
        found = self.objects.get(wanted.key)
        if found is None:
            raise ContractError("unreadable_object", f"{wanted.key} was written and is not there")
        check_content(found, sha256=content.sha256, row_count=content.row_count)
        self.archive.confirm(wanted, content)
        done.objects_written += 1
        done.bytes_written += len(content.data)
        return True

    def _delete(self, done: Archiving, has_time: Callable[[], bool]) -> None:
        while has_time() and self._delete_some(done):
            pass

    def _delete_some(self, done: Archiving) -> bool:
        batch = self.archive.to_delete()
        for object_id, key in batch:
            self.objects.delete(key)
            if __debug__:
                crash_point("archive.after_delete")
            self.archive.deleted(object_id)
            done.objects_deleted += 1
        return bool(batch)
