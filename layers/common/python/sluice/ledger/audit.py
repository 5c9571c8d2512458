"""Accounts for every accepted sequence number while records are in flight.

No snapshot spans queue and database, so the order of reading is the proof: first the accepted counters, then what the
database holds, then the queue, then the database again. A number accepted before the start is in the queue or was
acknowledged, and what is acknowledged was committed before. What is in none of the three is lost.

A queue that lost its memory (restored from an old state, or emptied) gives numbers out again. That shows in a counter
below what the database holds, or in numbers settled more than once; each such number counts as accepted once more.
"""

from dataclasses import dataclass

from sluice.ledger.model import SettledRanges, Totals
from sluice.ledger.ports import LedgerReader, Sequences
from sluice.ledger.ranges import Ranges, count_ranges, merge_ranges, subtract_ranges
from sluice.streams.ports import QueueLedger

_Key = tuple[int, int]  # application id, shard
_NOTHING = SettledRanges(0, 0, 0, (), 0)


def audit(queue: QueueLedger, ledger: LedgerReader, visible: set[int] | None = None) -> dict[int, Totals]:
    """Totals by application id, for the ``visible`` ids or all. Raises Unavailable."""
    accepted = _accepted(queue, visible)
    settled = ledger.settled(accepted)
    queued = _queued(queue, accepted)
    if any(account.missing() for account in _accounts(accepted, settled, queued)):
        settled = ledger.settled(accepted)
    after = _accepted(queue, visible)
    rolled_back = {key: known.highest for key, known in settled.items() if known.highest > after.get(key, 0)}
    if rolled_back:
        accepted = accepted | rolled_back
        settled = ledger.settled(accepted)
    totals: dict[int, Totals] = {}
    for account in _accounts(accepted, settled, queued):
        application_id = account.key[0]
        found = account.totals(is_rolled_back=account.key in rolled_back)
        totals[application_id] = totals.get(application_id, Totals()) + found
    return totals


@dataclass(frozen=True, slots=True)
class _Account:
    """One application's numbers on one shard."""

    key: _Key
    last: int  # the highest number given out
    settled: SettledRanges
    queued: Ranges

    def missing(self) -> Ranges:
        """Numbers that are neither settled nor queued."""
        return subtract_ranges(subtract_ranges(((1, self.last + 1),), self.settled.ranges), self.queued)

    def totals(self, *, is_rolled_back: bool) -> Totals:
        settled = self.settled
        given_again = settled.stored + settled.duplicate + settled.dead_lettered - count_ranges(settled.ranges)
        return Totals(
            accepted=self.last + given_again,
            stored=settled.stored,
            duplicate=settled.duplicate,
            dead_lettered=settled.dead_lettered,
            in_flight=count_ranges(subtract_ranges(self.queued, settled.ranges)),
            unaccounted=count_ranges(self.missing()),
            queue_rolled_back=is_rolled_back or given_again > 0,
        )


def _accepted(queue: QueueLedger, visible: set[int] | None) -> dict[_Key, int]:
    return {key: last for key, last in queue.accepted().items() if visible is None or key[0] in visible}


def _queued(queue: QueueLedger, accepted: Sequences) -> dict[_Key, Ranges]:
    """Queued ranges by key, as far as they were accepted before the audit began."""
    found: dict[_Key, list[tuple[int, int]]] = {}
    for item in queue.queued_ranges():
        key = (item.application_id, item.shard)
        end = min(item.first_sequence + item.record_count, accepted.get(key, 0) + 1)
        found.setdefault(key, []).append((item.first_sequence, end))
    return {key: merge_ranges(ranges) for key, ranges in found.items()}


def _accounts(accepted: Sequences, settled: dict[_Key, SettledRanges], queued: dict[_Key, Ranges]) -> list[_Account]:
    keys = accepted.keys() | settled.keys()
    return [
        _Account(key, accepted.get(key, 0), settled.get(key, _NOTHING), queued.get(key, ())) for key in sorted(keys)
    ]
