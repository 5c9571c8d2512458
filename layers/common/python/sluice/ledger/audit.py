"""Accounts for every accepted sequence number while records are in flight.

No snapshot spans queue and database, so the order of reading is the proof: first the accepted counters, then what the
database holds, then the queue, then the database again. A number accepted before the start is in the queue or was
acknowledged, and what is acknowledged was committed before. What is in none of the three is lost.
"""

from sluice.ledger.model import SettledRanges, Totals
from sluice.ledger.ports import LedgerReader, Sequences
from sluice.ledger.ranges import Ranges, count_ranges, merge_ranges, subtract_ranges
from sluice.streams.ports import QueueLedger

_NOTHING = SettledRanges(0, 0, 0, ())


def audit(queue: QueueLedger, ledger: LedgerReader, visible: set[int] | None = None) -> dict[int, Totals]:
    """Totals by application id, for the ``visible`` ids or all. Raises Unavailable."""
    accepted = {key: last for key, last in queue.accepted().items() if visible is None or key[0] in visible}
    settled = ledger.settled(accepted)
    queued = _queued(queue, accepted)
    if any(_missing(key, accepted, settled, queued) for key in accepted):
        settled = ledger.settled(accepted)
    totals: dict[int, Totals] = {}
    for key in accepted:
        totals[key[0]] = totals.get(key[0], Totals()) + _totals(key, accepted, settled, queued)
    return totals


def _queued(queue: QueueLedger, accepted: Sequences) -> dict[tuple[int, int], Ranges]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {key: [] for key in accepted}
    for item in queue.queued_ranges():
        key = (item.application_id, item.shard)
        if key in found:
            end = min(item.first_sequence + item.record_count, accepted[key] + 1)
            found[key].append((item.first_sequence, end))
    return {key: merge_ranges(ranges) for key, ranges in found.items()}


def _missing(
    key: tuple[int, int],
    accepted: Sequences,
    settled: dict[tuple[int, int], SettledRanges],
    queued: dict[tuple[int, int], Ranges],
) -> Ranges:
    everything: Ranges = ((1, accepted[key] + 1),)
    return subtract_ranges(subtract_ranges(everything, settled.get(key, _NOTHING).ranges), queued[key])


def _totals(
    key: tuple[int, int],
    accepted: Sequences,
    settled: dict[tuple[int, int], SettledRanges],
    queued: dict[tuple[int, int], Ranges],
) -> Totals:
    known = settled.get(key, _NOTHING)
    return Totals(
        accepted=accepted[key],
        stored=known.stored,
        duplicate=known.duplicate,
        dead_lettered=known.dead_lettered,
        in_flight=count_ranges(subtract_ranges(queued[key], known.ranges)),
        unaccounted=count_ranges(_missing(key, accepted, settled, queued)),
    )
