"""Which of the ids that were given are stored: sets are compared, not counters."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice_cli.api import Receipt

type JsonObject = dict[str, Any]


class LogReader(Protocol):
    """The read side of the API."""

    def logs(self, filters: Mapping[str, str], limit: int | None) -> Iterator[JsonObject]:
        """Stored logs, newest first."""


@dataclass
class Readback:
    """What the API gave back for a run's batches. `rows` counts answers, so a log stored twice counts twice."""

    stored: set[str] = field(default_factory=set)
    rows: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    samples: dict[str, JsonObject] = field(default_factory=dict)

    def add(self, log: JsonObject) -> None:
        """Takes in one stored log and keeps the last of each level as a sample."""
        self.rows += 1
        self.stored.add(log["id"])
        self.levels[log["level"]] += 1
        self.samples[log["level"]] = log


def read_back(reader: LogReader, receipts: Iterable[Receipt], on_batch: Callable[[int], None]) -> Readback:
    """Fetches all logs of the receipts' batches; `on_batch` is told the rows of each batch."""
    result = Readback()
    for receipt in receipts:
        before = result.rows
        for log in reader.logs({"batch_id": receipt.batch_id}, None):
            result.add(log)
        on_batch(result.rows - before)
    return result


def differences(receipts: Iterable[Receipt], readback: Readback) -> list[str]:
    """One sentence for each way in which stored logs are not exactly the accepted ones; empty if they are."""
    given = set[str]().union(*(receipt.log_ids() for receipt in receipts))
    repeated = readback.rows - len(readback.stored)
    found = []
    if missing := given - readback.stored:
        found.append(f"{len(missing)} accepted logs are not stored, e.g. {min(missing)}")
    if unexpected := readback.stored - given:
        found.append(f"{len(unexpected)} stored logs were never accepted, e.g. {min(unexpected)}")
    if repeated:
        found.append(f"{repeated} logs are stored more than once")
    return found
