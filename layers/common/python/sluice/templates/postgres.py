"""Mining over several processes, with the templates in Postgres.

Each process has a replica of the miner of each application whose logs it stores, and applies to it what others have
learnt. A line that none of its templates has to change for is answered by a replica of the current version alone. All
else is learnt one after the other, under the application's advisory lock.
"""

import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from psycopg2.extensions import cursor
from psycopg2.extras import execute_values

from sluice.errors import SluiceError
from sluice.runtime.crash_points import crash_point
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry, UnreadableEntry
from sluice.templates.clusters import Cluster, known_cluster, masked_lines, unmined_cluster
from sluice.templates.keys import template_key
from sluice.templates.miner import MAX_TEMPLATES, Miner
from sluice.templates.model import Template
from sluice.templates.ports import Clustering
from sluice.templates.postgres_lock import lock_templates
from sluice.templates.recent import RecentClusters

_LOCK_SECONDS = 2
_SPLIT_SECONDS = 60  # between looks at what people split
_MAX_REPLICAS = 32
_MAX_LEARNT = 2_000  # lines at once that change templates: others wait meanwhile
_MAX_REPAIRED = 1_000  # lines at once; fewer than can be learnt

_VERSIONS = """
SELECT application_id, version, overflowed_at IS NOT NULL FROM template_sets WHERE application_id = ANY (%s)"""
_SPLITS = "SELECT coalesce(sum(split_count), 0)::bigint FROM template_sets"
_CHANGED = """
SELECT t.number, t.template_id, t.text, target.number, t.is_split FROM templates t
LEFT JOIN templates target ON target.template_id = t.mined_into WHERE t.application_id = %s AND t.version > %s"""
_RAISE_VERSION = """
INSERT INTO template_sets (application_id, version, overflowed_at)
VALUES (%(application)s, 1, CASE WHEN %(is_overflow)s THEN now() END)
ON CONFLICT (application_id) DO UPDATE
SET version = template_sets.version + 1, overflowed_at = coalesce(template_sets.overflowed_at, excluded.overflowed_at)
RETURNING version"""
_ADD = "INSERT INTO templates (application_id, number, version, text) VALUES %s RETURNING number, template_id"
_UPDATE = """
UPDATE templates SET version = changed.version, text = changed.text
FROM (VALUES %s) AS changed (template_id, version, text) WHERE templates.template_id = changed.template_id"""
_MERGE = """
UPDATE templates SET mined_into = merged.target
FROM (VALUES %s) AS merged (template_id, target) WHERE templates.template_id = merged.template_id"""
_TAKE_UNMINED = f"""
DELETE FROM unmined_lines WHERE (application_id, template_key) IN (
    SELECT application_id, template_key FROM unmined_lines ORDER BY 1, 2 LIMIT {_MAX_REPAIRED})
RETURNING application_id, template_key, masked"""
_ADD_KEYS = "INSERT INTO template_keys (application_id, template_key, template_id) VALUES %s ON CONFLICT DO NOTHING"

type _Known = dict[int, dict[str, Cluster]]  # by application and masked line


@dataclass(slots=True)
class _Learnt:
    """What the miner made of lines that it did not know."""

    numbers: dict[str, int] = field(default_factory=dict)  # by masked line
    changed: dict[int, Template] = field(default_factory=dict)  # by number
    line_count: int = 0  # of the lines that changed something
    is_overflow: bool = False


class _Replica:
    """An application's miner as of a version; ``ids`` are of its templates, by number."""

    def __init__(self, application_id: int, max_templates: int) -> None:
        self.application_id, self.version = application_id, 0
        self.ids: dict[int, int] = {}
        self.is_overflowed = False  # and that is known to the database
        self._max_templates = max_templates
        self._miner = Miner(max_templates=max_templates)
        self._split: set[int] = set()

    def load(self, open_cursor: cursor) -> None:
        """Takes in what was committed since its version."""
        open_cursor.execute(_VERSIONS, ([self.application_id],))
        self.update(open_cursor, *next(((version, flag) for _, version, flag in open_cursor.fetchall()), (0, False)))

    def update(self, open_cursor: cursor, version: int, is_overflowed: bool) -> None:
        """The same, where it is known what is committed."""
        self.is_overflowed = is_overflowed
        if version == self.version:
            return
        changed = self._read(open_cursor, self.version)
        split = {template.template_id for template in changed if template.is_split}
        if split != self._split & {template.template_id for template in changed}:
            self._miner, self._split = Miner(max_templates=self._max_templates), set()
            changed = self._read(open_cursor, 0)
        self._miner.apply(changed)
        self._split |= {template.template_id for template in changed if template.is_split}
        self.version = version

    def _read(self, open_cursor: cursor, version: int) -> list[Template]:
        """The templates that changed since a version."""
        open_cursor.execute(_CHANGED, (self.application_id, version))
        rows = open_cursor.fetchall()
        self.ids |= {number: template_id for number, template_id, *_ in rows}
        return [Template(number, text, merged_into, is_split) for number, _, text, merged_into, is_split in rows]

    def find(self, line: str) -> int | None:
        """The number of the template of a line that changes nothing, also not what is known of the application."""
        found = self._miner.find(line)
        return found.template_id if found and (self.is_overflowed or not found.is_overflow) else None

    def learn(self, lines: Iterable[str]) -> _Learnt:
        """The miner is ahead of the database from then on, until what it learnt is saved and committed. Lines beyond
        what can be learnt at once have no number, unless they change nothing."""
        learnt = _Learnt()
        for line in lines:
            if learnt.line_count >= _MAX_LEARNT:
                if (number := self.find(line)) is not None:
                    learnt.numbers[line] = number
                continue
            assignment = self._miner.assign(line)
            learnt.numbers[line] = assignment.template_id
            learnt.changed |= {template.template_id: template for template in assignment.changed}
            learnt.line_count += bool(assignment.changed)
            learnt.is_overflow |= assignment.is_overflow
        return learnt

    def save(self, open_cursor: cursor, learnt: _Learnt) -> None:
        """Writes what changed; the lock is held."""
        self.is_overflowed |= learnt.is_overflow
        raised = {"application": self.application_id, "is_overflow": learnt.is_overflow}
        open_cursor.execute(_RAISE_VERSION, raised)
        ((self.version,),) = open_cursor.fetchall()
        changed = [learnt.changed[number] for number in sorted(learnt.changed)]
        new = [
            (self.application_id, item.template_id, self.version, item.text)
            for item in changed
            if item.template_id not in self.ids
        ]
        known = [
            (self.ids[item.template_id], self.version, item.text) for item in changed if item.template_id in self.ids
        ]
        if new:
            self.ids |= dict(execute_values(open_cursor, _ADD, new, fetch=True))
        if known:
            execute_values(open_cursor, _UPDATE, known)
        merged = [(self.ids[item.template_id], self.ids[item.merged_into]) for item in changed if item.merged_into]
        if merged:
            execute_values(open_cursor, _MERGE, merged)


class PostgresClusterer:
    """See Clusterer and Repairer. One instance per execution environment: it remembers lines and templates. The
    database's deadline bounds the time for which a chunk waits for templates. ``clock`` counts seconds."""

    def __init__(
        self,
        database: Database,
        *,
        max_templates: int = MAX_TEMPLATES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._max_templates, self._clock = database, max_templates, clock
        self._recent = RecentClusters()
        self._split_count: int | None = None
        self._looked_at = -math.inf  # for splits
        self._replicas: OrderedDict[int, _Replica] = OrderedDict()

    def cluster(self, entries: Sequence[StreamEntry | UnreadableEntry]) -> Clustering:
        """See Clusterer.cluster."""
        readable = [entry for entry in entries if isinstance(entry, StreamEntry)]
        masked = {id(entry): masked_lines(entry.records) for entry in readable}
        distinct: defaultdict[int, dict[str, None]] = defaultdict(dict)
        for entry in readable:
            distinct[entry.application_id] |= dict.fromkeys(masked[id(entry)])
        known, missing = self._recall(distinct)
        is_due = self._clock() >= self._looked_at + _SPLIT_SECONDS
        failure, learnt_count = None, 0
        try:
            learnt_count = self._mine(distinct, missing, known, is_due=is_due) if missing or is_due else 0
        except SluiceError as error:
            failure = error if missing else None
            for application_id, lines in missing.items():
                known[application_id] = {
                    line: known[application_id][line] for line in known[application_id].keys() - set(lines)
                }
        unmined_count = 0
        for application_id, lines in missing.items():
            unmined = [line for line in lines if line not in known[application_id]]
            known[application_id] |= {line: unmined_cluster(application_id, line) for line in unmined}
            unmined_count += len(unmined)
        clustered = tuple(
            replace(entry, clusters=[known[entry.application_id][line] for line in masked[id(entry)]])
            if isinstance(entry, StreamEntry)
            else entry
            for entry in entries
        )
        return Clustering(clustered, sum(map(len, masked.values())), learnt_count, failure, unmined_count)

    def repair(self) -> int:
        """See Repairer.repair."""
        with self._mining() as open_cursor:
            open_cursor.execute(_TAKE_UNMINED)
            keys = {(application_id, masked): key for application_id, key, masked in open_cursor.fetchall()}
            missing: defaultdict[int, list[str]] = defaultdict(list)
            for application_id, masked in keys:
                missing[application_id].append(masked)
            known: dict[int, dict[str, Cluster]] = {application_id: {} for application_id in missing}
            self._assign(open_cursor, missing, known)
            rows = [
                (application_id, key, known[application_id][masked].template_id)
                for (application_id, masked), key in keys.items()
            ]
            if rows:
                execute_values(open_cursor, _ADD_KEYS, rows)
        return len(rows)

    def _recall(self, distinct: Mapping[int, Iterable[str]]) -> tuple[_Known, dict[int, list[str]]]:
        """The clusters of the lines that came lately, and the other lines, both by application."""
        known: _Known = {}
        missing: dict[int, list[str]] = {}
        for application_id, lines in distinct.items():
            found = {line: self._recent.get((application_id, line)) for line in lines}
            known[application_id] = {line: cluster for line, cluster in found.items() if cluster is not None}
            if len(known[application_id]) < len(found):
                missing[application_id] = [line for line, cluster in found.items() if cluster is None]
        return known, missing

    def _mine(
        self, distinct: Mapping[int, Iterable[str]], missing: dict[int, list[str]], known: _Known, *, is_due: bool
    ) -> int:
        """Adds the clusters of ``missing`` to ``known``; returns how many lines taught the miner something. If it is
        due, and somebody split a template meanwhile, all that is ``distinct`` is missing."""
        with self._mining() as open_cursor:
            if is_due and self._notices_splits(open_cursor):
                missing |= {application_id: list(lines) for application_id, lines in distinct.items()}
            learnt_count = self._assign(open_cursor, missing, known)
            if __debug__:
                crash_point("process_chunk.before_mining_commit")
        if __debug__:
            crash_point("process_chunk.after_mining")
        for application_id, lines in missing.items():
            for line in lines:
                if (cluster := known[application_id].get(line)) is not None:
                    self._recent.add((application_id, line), cluster)
        return learnt_count

    def _notices_splits(self, open_cursor: cursor) -> bool:
        """Forgets the lines that came lately if some of them may have another template by now."""
        self._looked_at = self._clock()
        open_cursor.execute(_SPLITS)
        ((split_count,),) = open_cursor.fetchall()
        is_changed = self._split_count not in (None, split_count)
        self._split_count = split_count
        if is_changed:
            self._recent = RecentClusters()
        return is_changed

    @contextmanager
    def _mining(self) -> Iterator[cursor]:
        """A transaction in which templates may be learnt."""
        try:
            with self._database.transaction() as open_cursor:
                open_cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{_LOCK_SECONDS}s",))
                yield open_cursor
        except BaseException:
            self._replicas.clear()  # they may be ahead of what is committed
            raise

    def _assign(self, open_cursor: cursor, missing: Mapping[int, Collection[str]], known: _Known) -> int:
        """See ``_mine``. Applications come in the order of their ids: who learns in several must not deadlock."""
        open_cursor.execute(_VERSIONS, (list(missing),))
        versions = {application_id: state for application_id, *state in open_cursor.fetchall()}
        learnt_count = 0
        for application_id in sorted(missing):
            replica = self._replica(application_id)
            replica.update(open_cursor, *versions.get(application_id, (0, False)))
            found = {line: replica.find(line) for line in missing[application_id]}
            numbers = {line: number for line, number in found.items() if number is not None}
            if len(numbers) < len(found):
                learnt = _learn(open_cursor, replica, [line for line in found if line not in numbers])
                numbers |= learnt.numbers
                learnt_count += learnt.line_count
            for line, number in numbers.items():
                key = template_key(application_id, line)
                known[application_id][line] = known_cluster(key, replica.ids[number])
        return learnt_count

    def _replica(self, application_id: int) -> _Replica:
        replica = self._replicas.setdefault(application_id, _Replica(application_id, self._max_templates))
        self._replicas.move_to_end(application_id)
        if len(self._replicas) > _MAX_REPLICAS:
            self._replicas.popitem(last=False)
        return replica


def _learn(open_cursor: cursor, replica: _Replica, lines: Collection[str]) -> _Learnt:
    """What the miner of the committed templates makes of ``lines``."""
    lock_templates(open_cursor, replica.application_id)
    replica.load(open_cursor)
    learnt = replica.learn(lines)
    if learnt.changed or (learnt.is_overflow and not replica.is_overflowed):
        replica.save(open_cursor, learnt)
    return learnt
