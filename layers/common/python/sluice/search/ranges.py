"""Groups of stored rows that may hold what is searched, and which of them to read next."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

_MAX_POSITION = 2**31 - 1


class Blocks(NamedTuple):
    """Neighbouring blocks of a partition's heap, as long as ``heap_identity`` of the partition is ``heap_id``."""

    heap_id: int
    first: int
    length: int


class RowRange(NamedTuple):
    """Rows of one application that were received from … until at the positions from … until; all ends included.
    ``event_from`` and ``event_until`` bound their event times."""

    application_id: int
    received_from: datetime
    received_until: datetime
    position_from: int
    position_until: int
    event_from: datetime
    event_until: datetime
    blocks: Blocks | None = None  # where all these rows are, if that is known


def disjoint(ranges: Iterable[RowRange]) -> list[RowRange]:
    """Ranges that no row is in twice, which together hold all rows of ``ranges``, and perhaps some between them, of
    which their blocks know nothing."""
    by_application: defaultdict[int, list[RowRange]] = defaultdict(list)
    for item in ranges:
        by_application[item.application_id].append(item)
    return [merged for group in by_application.values() for span in _spans(group) for merged in _merge(span)]


def _spans(group: list[RowRange]) -> Iterable[list[RowRange]]:
    """Lists of ranges whose times of receipt overlap, one way or another."""
    span: list[RowRange] = []
    end = None
    for item in sorted(group, key=lambda item: item.received_from):
        if span and end is not None and item.received_from > end:
            yield span
            span, end = [], None
        span.append(item)
        end = max(end or item.received_until, item.received_until)
    if span:
        yield span


def _merge(span: list[RowRange]) -> Iterable[RowRange]:
    """Within one instant, positions tell ranges apart; over more than one, they are read as a whole."""
    if len(span) == 1:
        yield span[0]
        return
    first = min(item.received_from for item in span)
    last = max(item.received_until for item in span)
    if first != last:
        yield _joined(span, first, last, -_MAX_POSITION - 1, _MAX_POSITION)
        return
    touching: list[RowRange] = []
    for item in sorted(span, key=lambda item: item.position_from):
        if touching and item.position_from > touching[-1].position_until and not _goes_on(touching[-1], item):
            yield _joined(touching, first, last, touching[0].position_from, touching[-1].position_until)
            touching = []
        reach = max([item.position_until, *(other.position_until for other in touching[-1:])])
        touching.append(item._replace(position_until=reach))
    yield _joined(touching, first, last, touching[0].position_from, touching[-1].position_until)


def _goes_on(last: RowRange, item: RowRange) -> bool:
    """Whether ``item`` is what follows, in blocks as in positions: so that nothing else is read with both."""
    if item.position_from > last.position_until + 1 or item.blocks is None or last.blocks is None:
        return False
    reached = last.blocks.first + last.blocks.length
    return last.blocks.heap_id == item.blocks.heap_id and last.blocks.first <= item.blocks.first <= reached


def _joined(
    items: list[RowRange], first: datetime, last: datetime, position_from: int, position_until: int
) -> RowRange:
    return RowRange(
        application_id=items[0].application_id,
        received_from=first,
        received_until=last,
        position_from=position_from,
        position_until=position_until,
        event_from=min(item.event_from for item in items),
        event_until=max(item.event_until for item in items),
        blocks=_span_of([item.blocks for item in items]),
    )


def _span_of(blocks: list[Blocks | None]) -> Blocks | None:
    """The blocks from the first to the last; None if they are not all known, of one heap, and most of these."""
    known = [span for span in blocks if span]
    if len(known) < len(blocks) or len({span.heap_id for span in known}) > 1:
        return None
    first = min(span.first for span in known)
    length = max(span.first + span.length for span in known) - first
    return Blocks(known[0].heap_id, first, length) if length <= 2 * sum(span.length for span in known) else None
