"""GET /api/tail: what was stored since the last answer, or as soon as it comes.

A request waits by asking again and again in short transactions: between them it holds no connection of the database,
only its own execution environment. That costs money and concurrency while nothing happens, so only so many may wait at
a time; the others are answered at once and told when to come again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.applications.model import KeyRecord
from sluice.runtime.postgres import Database
from sluice.search.model import Filters, Visible
from sluice.search.parse import parse_filters, parse_limit
from sluice.tail.model import MAX_LIMIT, MAX_WAIT_SECONDS, Cursor, Page
from sluice.tail.ports import Seats
from sluice.tail.ports import Tail as Order
from sluice.tail.postgres import PostgresTail

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

POLL_SECONDS = 0.5
PAUSE_SECONDS = 2  # for who found no seat


@dataclass(frozen=True, slots=True)
class Tail:
    """The use case."""

    database: Database
    reads: Reads
    seats: Seats
    clock: Callable[[], float]  # monotonic seconds
    sleep: Callable[[float], object]
    open_order: Callable[[Database, Visible, Filters], Order] = PostgresTail

    def follow(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Logs behind the cursor, and the next one; without a cursor, one that begins now. Raises what parsing and
        reading do, and RejectedInput ``invalid_wait``, ``invalid_limit``, ``invalid_cursor``, ``cursor_lost``."""
        filters = parse_filters(parameters, self.reads.now(), "cursor", "wait", "limit")
        limit = parse_limit("limit", parameters.get("limit"), MAX_LIMIT, MAX_LIMIT)
        wait = parse_limit("wait", parameters.get("wait"), MAX_WAIT_SECONDS, MAX_WAIT_SECONDS, lowest=0)
        cursor = Cursor.from_text(parameters["cursor"]) if parameters.get("cursor") else None
        order = self.open_order(self.database, self.reads.visible(key, filters.applications), filters)
        if cursor is None:
            return _answer([], order.begin(), is_behind=False)
        started_at = self.clock()
        page = order.read(order.check(cursor), limit)
        is_seated = True
        if not page.logs and wait:
            with self.seats.take(wait) as is_seated:
                page = self._wait(order, page, limit, started_at + (wait if is_seated else 0))
        place = Cursor(cursor.history, page.place)
        is_behind = page.has_more or page.is_held_back
        return _answer(page.logs, place, is_behind=is_behind, pause_seconds=0 if is_seated else PAUSE_SECONDS)

    def _wait(self, order: Order, page: Page, limit: int, until: float) -> Page:
        """The first page with logs on it, or the one at the end of the time."""
        while not page.logs and (left := until - self.clock()) > 0:
            if not page.has_more:
                self.sleep(min(POLL_SECONDS, left))
            page = order.read(page.place, limit)
        return page


def _answer(logs: list[dict[str, Any]], cursor: Cursor, *, is_behind: bool, pause_seconds: int = 0) -> dict[str, Any]:
    return {"logs": logs, "cursor": cursor.to_text(), "is_behind": is_behind, "pause_seconds": pause_seconds}
