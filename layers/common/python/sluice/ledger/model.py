"""The equation ``accepted = stored + duplicate + dead_lettered + in_flight + unaccounted`` and its parts."""

from dataclasses import dataclass

from sluice.ledger.ranges import Ranges, merge_ranges


@dataclass(frozen=True, slots=True)
class Totals:
    """Record counts. ``unaccounted`` must be 0."""

    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    in_flight: int = 0
    unaccounted: int = 0
    queue_rolled_back: bool = False  # the queue lost its memory: sequence numbers were given out twice, or will be

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.accepted + other.accepted,
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.dead_lettered + other.dead_lettered,
            self.in_flight + other.in_flight,
            self.unaccounted + other.unaccounted,
            self.queue_rolled_back or other.queue_rolled_back,
        )


@dataclass(frozen=True, slots=True)
class SettledRanges:
    """What the database holds of one application's sequence on one shard, up to a given number."""

    stored: int
    duplicate: int
    dead_lettered: int
    ranges: Ranges  # every sequence number that is settled one way or another
    highest: int  # the highest settled number of all, also beyond the given one

    def __add__(self, other: "SettledRanges") -> "SettledRanges":
        return SettledRanges(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.dead_lettered + other.dead_lettered,
            merge_ranges((*self.ranges, *other.ranges)),
            max(self.highest, other.highest),
        )
