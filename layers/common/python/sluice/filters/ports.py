"""Contract of the store that word filters are made from and kept in."""

from typing import Protocol

from sluice.filters.model import Advance, Lag


class FilterStore(Protocol):
    """The ledger in storing order, the rows behind it, and the filters."""

    def advance(self, max_rows: int) -> Advance:
        """Makes the filters of the next entries, about ``max_rows`` rows at most, and notes the progress, in one
        transaction: each stored row is in exactly one filter, whatever dies. Where enough filters of a kind are there,
        they go into a slab, in the same one. No entries: everything is filtered that
        is older than the oldest running transaction. Raises Unavailable or ContractError."""

    def lag(self) -> Lag:
        """What is left. Raises Unavailable."""
