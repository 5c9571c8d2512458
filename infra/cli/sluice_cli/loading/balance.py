"""Does the ledger agree with what the load tester was told? Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

type JsonObject = dict[str, Any]

_COUNTS = ("accepted", "stored", "duplicate", "dead_lettered")


@dataclass(frozen=True)
class Balance:
    """What the ledger's counts grew by, and what it holds now."""

    application: str
    accepted: int
    stored: int
    duplicate: int
    dead_lettered: int
    in_flight: int
    unaccounted: int

    def is_settled(self) -> bool:
        """Whether nothing is under way any more."""
        return self.in_flight == 0 and self.stored + self.duplicate + self.dead_lettered >= self.accepted

    def is_balanced(self, accepted_logs: int, unknown_logs: int) -> bool:
        """Whether the ledger accepted what was answered 202, give or take requests without an answer, and lost none."""
        return accepted_logs <= self.accepted <= accepted_logs + unknown_logs and self.unaccounted == 0

    def as_json(self) -> JsonObject:
        """As an object of counts."""
        return asdict(self)


def compare(before: JsonObject, after: JsonObject, application: str | None) -> Balance:
    """Growth of the application's counts between two answers of GET /api/ledger.

    Without a name: of the only one that accepted something meanwhile, else of all together ("all").
    """
    old = {entry["application"]: entry for entry in before["applications"]}
    new = {entry["application"]: entry for entry in after["applications"]}
    grown = [name for name, entry in new.items() if entry["accepted"] > old.get(name, {}).get("accepted", 0)]
    name = application or (grown[0] if len(grown) == 1 else None)
    if name is None:
        return _growth("all", before["total"], after["total"])
    return _growth(name, old.get(name, {}), new.get(name, {}))


def _growth(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> Balance:
    grown = {count: after.get(count, 0) - before.get(count, 0) for count in _COUNTS}
    unaccounted = after.get("unaccounted", 0) - before.get("unaccounted", 0)
    return Balance(name, **grown, in_flight=after.get("in_flight", 0), unaccounted=unaccounted)
