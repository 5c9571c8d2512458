"""The audit while records move from the queue into the database under its eyes."""

from dataclasses import dataclass, field

from sluice.ledger.audit import audit
from sluice.ledger.model import SettledRanges, Totals
from sluice.ledger.ports import Sequences
from sluice.streams.model import QueuedRange

APPLICATION = 7
KEY = (APPLICATION, 0)


@dataclass
class Pipeline:
    """QueueLedger and LedgerReader of one application. ``moves`` says after which readings process_chunk stores and
    acknowledges what is queued; readings are "accepted", "settled" and "queued"."""

    moves: set[str]
    queued: list[QueuedRange] = field(default_factory=lambda: [QueuedRange(APPLICATION, 0, 1, 5)])
    stored: int = 0

    def accepted(self) -> dict[tuple[int, int], int]:
        return self._after("accepted", {KEY: 5})

    def settled(self, accepted: Sequences) -> dict[tuple[int, int], SettledRanges]:
        known = {KEY: SettledRanges(self.stored, 0, 0, ((1, self.stored + 1),), self.stored)} if self.stored else {}
        return self._after("settled", known)

    def queued_ranges(self) -> list[QueuedRange]:
        return self._after("queued", list(self.queued))

    def application_names(self) -> dict[int, str]:
        return {APPLICATION: "shop"}

    def _after[Reading](self, name: str, reading: Reading) -> Reading:
        if name in self.moves:
            self.stored += sum(item.record_count for item in self.queued)
            self.queued.clear()
        return reading


def test_at_rest() -> None:
    pipeline = Pipeline(moves=set())
    assert audit(pipeline, pipeline) == {APPLICATION: Totals(accepted=5, in_flight=5)}


def test_a_record_stored_between_two_readings_is_no_loss() -> None:
    """It is neither among the settled, which were read too early, nor among the queued, which were read too late."""
    pipeline = Pipeline(moves={"settled"})
    assert audit(pipeline, pipeline) == {APPLICATION: Totals(accepted=5, stored=5)}


def test_a_record_stored_after_it_was_seen_in_the_queue_is_counted_once() -> None:
    for moves in ({"accepted"}, {"queued"}, {"accepted", "settled", "queued"}):
        pipeline = Pipeline(moves=moves)
        totals = audit(pipeline, pipeline)[APPLICATION]
        assert (totals.accepted, totals.stored + totals.in_flight, totals.unaccounted) == (5, 5, 0), moves


def test_what_is_nowhere_is_unaccounted() -> None:
    pipeline = Pipeline(moves=set(), queued=[QueuedRange(APPLICATION, 0, 1, 2), QueuedRange(APPLICATION, 0, 4, 2)])
    assert audit(pipeline, pipeline) == {APPLICATION: Totals(accepted=5, in_flight=4, unaccounted=1)}
