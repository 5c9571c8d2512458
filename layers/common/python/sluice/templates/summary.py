"""Templates as people see them: what is one counts together, under the name that somebody gave it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sluice.entries.model import Level
from sluice.templates.families import root_of
from sluice.templates.query import TemplateQuery


@dataclass(frozen=True, slots=True)
class Known:
    """A template as it is stored."""

    template_id: int
    application_id: int
    text: str
    name: str | None
    is_ignored: bool
    mined_into: int | None
    merged_into: int | None
    created_at: datetime
    is_split: bool  # a person keeps it apart

    @property
    def parent(self) -> int | None:
        """What it was merged into: a person's word counts before the miner's."""
        return self.merged_into or self.mined_into


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records of one level have a template, or else a key, in one interval."""

    application_id: int
    template_id: int  # 0: look for the key
    template_key: int
    level: int
    start: datetime
    count: int
    last_seen: datetime  # the latest minute of these events; the hour or day, of times long ago
    last_until: datetime  # the end of that


@dataclass(slots=True)
class Summary:
    """A template with all those that are merged into it."""

    root: Known
    members: list[Known] = field(default_factory=list)  # the root, too
    levels: Counter[int] = field(default_factory=Counter)
    trend: Counter[datetime] = field(default_factory=Counter)  # by start of the interval
    last_seen: datetime | None = None  # as in Counted
    last_until: datetime | None = None
    latest_member: int = 0  # whose record that was

    @property
    def count(self) -> int:
        """Of all records."""
        return self.levels.total()

    @property
    def first_seen(self) -> datetime:
        """When the first of them was made, which is when such a record first came."""
        return min(member.created_at for member in self.members)

    def add(self, counted: Counted, template_id: int) -> None:
        """Counts in."""
        self.levels[counted.level] += counted.count
        self.trend[counted.start] += counted.count
        if self.last_seen is None or counted.last_seen > self.last_seen:
            self.last_seen, self.last_until = counted.last_seen, counted.last_until
            self.latest_member = template_id

    def level_counts(self) -> dict[str, int]:
        """By name; levels that there are."""
        return {level.name: self.levels[level] for level in Level if self.levels[level]}


def summarise(
    known: Iterable[Known], keys: Mapping[int, int], counts: Iterable[Counted]
) -> tuple[dict[int, Summary], int]:
    """Summaries by the root's id, and how many records have no template yet. ``keys`` are templates by key."""
    templates = {template.template_id: template for template in known}
    parents = {template.template_id: template.parent for template in templates.values() if template.parent}
    summaries: dict[int, Summary] = {}
    roots: dict[int, int] = {}
    for template_id, template in templates.items():
        root = roots[template_id] = root_of(template_id, parents)
        summaries.setdefault(root, Summary(templates.get(root, template))).members.append(template)
    unclustered = 0
    for counted in counts:
        template_id = counted.template_id or keys.get(counted.template_key, 0)
        if template_id in roots:
            summaries[roots[template_id]].add(counted, template_id)
        else:
            unclustered += counted.count
    return summaries, unclustered


def choose(summaries: Iterable[Summary], query: TemplateQuery) -> list[Summary]:
    """Those that ``query`` asks for, of which there are records, in its order."""
    fitting = [
        summary
        for summary in summaries
        if summary.last_seen is not None
        and (query.shows_ignored or not summary.root.is_ignored)
        and all(word in _searched(summary.root) for word in query.words)
    ]
    fitting.sort(key=lambda summary: summary.root.template_id)
    order = {"count": _count, "last_seen": _last_seen, "first_seen": _first_seen}[query.order]
    return sorted(fitting, key=order, reverse=True)[: query.limit]


def _searched(template: Known) -> str:
    return f"{template.name or ''} {template.text}".casefold()


def _count(summary: Summary) -> float:
    return summary.count


def _last_seen(summary: Summary) -> float:
    return summary.last_seen.timestamp() if summary.last_seen else 0


def _first_seen(summary: Summary) -> float:
    return summary.first_seen.timestamp()
