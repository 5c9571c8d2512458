"""GET /api/tail: what was stored since the last answer, or as soon as it comes.

A request waits by asking the queue again and again whether something was stored, and then the database, in short
transactions: between them it holds no connection, only its own execution environment. That costs money and concurrency
while nothing happens, so only so many may wait at a time; the others are answered at once and told when to come again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.applications.model import KeyRecord
from sluice.search.model import Filters, Visible
from sluice.search.parse import parse_filters, parse_limit
from sluice.tail.model import MAX_LIMIT, MAX_WAIT_SECONDS, Cursor, Page
from sluice.tail.ports import News, Seats
from sluice.tail.ports import Tail as Order

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

NEWS_SECONDS = 0.1  # between two looks for news
POLL_SECONDS = 1  # between two looks into the database without any
HELD_SECONDS = 0.2  # the same while an older transaction runs: its end is no news
PAUSE_SECONDS = 2  # for who found no seat


@dataclass(frozen=True, slots=True)
class Tail:
    """The use case."""

    reads: Reads
    open_order: Callable[[Visible, Filters], Order]
    seats: Seats
    news: News
    clock: Callable[[], float]  # monotonic seconds
    sleep: Callable[[float], object]

    def follow(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Logs behind the cursor, and the next one; without a cursor, one that begins now. Raises what parsing and
        reading do, and RejectedInput ``invalid_wait``, ``invalid_limit``, ``invalid_cursor``, ``cursor_lost``."""
        filters = parse_filters(parameters, self.reads.now(), "cursor", "wait", "limit")
        limit = parse_limit("limit", parameters.get("limit"), MAX_LIMIT, MAX_LIMIT)
        wait = parse_limit("wait", parameters.get("wait"), MAX_WAIT_SECONDS, MAX_WAIT_SECONDS, lowest=0)
        cursor = Cursor.from_text(parameters["cursor"]) if parameters.get("cursor") else None
        visible = self.reads.visible(key, filters.applications)
        order = self.open_order(visible, filters)
        if cursor is None:
            return _answer([], order.begin(), is_behind=False)
        watch = _Watch(self, visible.ids, self.clock() + wait)
        page = order.read(order.check(cursor), limit)
        is_seated = True
        if not page.logs and wait:
            with self.seats.take(key.application_id, wait) as is_seated:
                while is_seated and not page.logs and watch.has_time():
                    if not page.has_more:
                        watch.pause(page)
                    page = order.read(page.place, limit)
        place = Cursor(cursor.history, page.place)
        is_behind = page.has_more or page.is_held_back
        return _answer(page.logs, place, is_behind=is_behind, pause_seconds=0 if is_seated else PAUSE_SECONDS)


class _Watch:
    """Waits for what is worth another look into the database, until the moment ``until``. What it knew when it was made
    or last paused is older than a page read after that: nothing stored in between is missed."""

    def __init__(self, tail: Tail, application_ids: Sequence[int], until: float) -> None:
        self._tail, self._ids, self._until = tail, application_ids, until
        self._mark = tail.news.mark(application_ids)

    def has_time(self) -> bool:
        return self._tail.clock() < self._until

    def pause(self, page: Page) -> None:
        """Until something was stored since ``page``, or it is time to look whatever the news."""
        tail = self._tail
        end = min(tail.clock() + (POLL_SECONDS if page.is_complete else HELD_SECONDS), self._until)
        while (left := end - tail.clock()) > 0:
            tail.sleep(min(NEWS_SECONDS, left))
            before, self._mark = self._mark, tail.news.mark(self._ids)
            if self._mark != before:
                return


def _answer(logs: list[dict[str, Any]], cursor: Cursor, *, is_behind: bool, pause_seconds: int = 0) -> dict[str, Any]:
    return {"logs": logs, "cursor": cursor.to_text(), "is_behind": is_behind, "pause_seconds": pause_seconds}
