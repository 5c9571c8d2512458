"""What rules ask of logs, from a list."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sluice.alerts.census import Cell, matches
from sluice.alerts.model import Group
from sluice.alerts.ports import Novelty, Series
from sluice.entries.model import Level
from sluice.errors import Unavailable
from sluice.search.counts import ORIGIN
from sluice.search.language import parse_condition


@dataclass
class MemoryLogSource:
    """LogSource of logs that have a time, a level, a template and fields; queries may ask for level and template."""

    logs: list[tuple[datetime, Level, int, Mapping[str, str]]] = field(default_factory=list)
    templates: list[Novelty] = field(default_factory=list)
    is_down: bool = False
    asked: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def add(self, at: datetime, count: int = 1, level: Level = Level.INFO, template_id: int = 1, **fields: str) -> None:
        self.logs += [(at, level, template_id, fields)] * count

    def series(self, query: str, group_by: Sequence[str], since: datetime, until: datetime, step: timedelta) -> Series:
        if self.is_down:
            raise Unavailable("query_timed_out", "down")
        self.asked.append((query, since, until))
        condition = parse_condition(query)
        counts: defaultdict[Group, Counter[datetime]] = defaultdict(Counter)
        for at, level, template_id, fields in self.logs:
            if since <= at < until and matches(condition, Cell(level, template_id), int):
                known = {"level": level.name.lower(), "template": str(template_id), **fields}
                group = tuple(known.get(name, "") for name in group_by)
                counts[group][ORIGIN + (at - ORIGIN) // step * step] += 1
        return Series(counts)

    def novelties(self, since: datetime, until: datetime) -> list[Novelty]:
        return [one for one in self.templates if since <= one.appeared_at < until]

    def learnt_since(self) -> datetime | None:
        return min((one.appeared_at for one in self.templates), default=None)

    def template_text(self, template_id: int) -> str | None:
        return next((one.text for one in self.templates if one.template_id == template_id), None)

    def samples(self, query: str, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        return []
