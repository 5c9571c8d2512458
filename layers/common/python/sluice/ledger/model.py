"""The equation ``accepted = stored + duplicate + dead_lettered + in_flight + unaccounted`` and its parts."""

from dataclasses import dataclass, fields

from sluice.ledger.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Totals:
    """Record counts. ``unaccounted`` must be 0."""

    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    in_flight: int = 0
    unaccounted: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


@dataclass(frozen=True, slots=True)
class SettledRanges:
    """What the database holds of one application's sequence on one shard, up to a given number."""

    stored: int
    duplicate: int
    dead_lettered: int
    ranges: Ranges  # every sequence number that is settled one way or another
