"""The use case of the deploy diff: what a version logs that was not logged before, and what more or less often."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.anomalies.changes import Change, ChangeKind
from sluice.anomalies.explain import explain_change
from sluice.applications.model import KeyRecord
from sluice.errors import RejectedInput
from sluice.releases.compare import Comparison, Outcome, choose, compare
from sluice.releases.model import Release
from sluice.releases.postgres import PostgresReleases
from sluice.releases.query import parse_diff
from sluice.search.language import text_of
from sluice.search.model import AllOf, Condition, Field, OfTemplate
from sluice.templates.families import root_of
from sluice.templates.postgres_reads import PostgresTemplates
from sluice.templates.summary import Known

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

MAX_CHANGES = 100  # of each list
MAX_VERSIONS = 100  # that are listed to choose from
_LISTS = {
    "only_new": (ChangeKind.ADDED,),
    "gone": (ChangeKind.GONE,),
    "changed": (ChangeKind.MORE, ChangeKind.LESS),
}

type _Compared = tuple[Comparison, Outcome]


@dataclass(frozen=True, slots=True)
class Diff:
    """The use case."""

    reads: Reads
    open_releases: Callable[[int], PostgresReleases]
    open_templates: Callable[[Collection[int]], PostgresTemplates]

    def show(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The changes that came with a version of one application. Raises RejectedInput ``ambiguous_application`` for a
        key that sees several, of which none is named, and what parsing and choosing do."""
        query = parse_diff(parameters, self.reads.now())
        visible = self.reads.visible(key, query.applications)
        if len(visible.names) != 1:
            raise RejectedInput("ambiguous_application", "this API key sees several applications: name one")
        ((application_id, application),) = visible.names.items()
        store = self.open_releases(application_id)
        releases = store.releases(query.since, query.until)
        answer = {"application": application, "against": query.against, "versions": _versions(releases)}
        if not releases and query.version is None:
            return answer | {"version": None, "spans": [], **_lists([], {}, "")}
        version, comparisons = choose(releases, query.version, query.against, query.service)
        templates = self.open_templates([application_id])
        known, keys = {template.template_id: template for template in templates.known()}, templates.keys()
        parents = {template.template_id: template.parent for template in known.values() if template.parent}
        roots = {template_id: root_of(template_id, parents) for template_id in known}
        compared = [
            (comparison, compare(store.counts(comparison, query.since, query.until), roots, keys))
            for comparison in comparisons
        ]
        spans = [_span(comparison, outcome) for comparison, outcome in compared]
        return answer | {"version": version, "spans": spans, **_lists(compared, known, version)}


def _versions(releases: Sequence[Release]) -> list[dict[str, Any]]:
    """The latest ones."""
    latest = sorted(releases, key=lambda release: release.age, reverse=True)[:MAX_VERSIONS]
    return [
        {
            "version": release.version,
            "service": release.service or None,
            "since": release.first,
            "until": release.until,
            "logs": release.logs,
        }
        for release in latest
    ]


def _span(comparison: Comparison, outcome: Outcome) -> dict[str, Any]:
    """Which logs were compared."""
    before, after = comparison.before, comparison.after
    since = min((release.first for release in before), default=comparison.until)
    return {
        "service": comparison.service,
        "before": {
            "versions": sorted({release.version for release in before}),
            "since": max(since, comparison.since) if before and comparison.since else comparison.since or since,
            "until": max((release.until for release in before), default=comparison.until),
            "logs": outcome.logs_before,
        },
        "after": {
            "since": min(release.first for release in after),
            "until": max(release.until for release in after),
            "logs": outcome.logs_after,
        },
        "unclustered": outcome.unclustered,
    }


def _lists(compared: Sequence[_Compared], known: Mapping[int, Known], version: str) -> dict[str, Any]:
    """The changes by kind, strongest first, and how many there are besides."""
    found = [
        (change, *pair) for pair in compared for change in pair[1].changes if not known[change.template_id].is_ignored
    ]
    found.sort(key=lambda item: -item[0].score)
    lists = {name: [item for item in found if item[0].kind in kinds] for name, kinds in _LISTS.items()}
    shown = {
        name: [_change(*item, known[item[0].template_id], version) for item in items[:MAX_CHANGES]]
        for name, items in lists.items()
    }
    return shown | {"left_out": sum(max(len(items) - MAX_CHANGES, 0) for items in lists.values())}


def _change(change: Change, comparison: Comparison, outcome: Outcome, template: Known, version: str) -> dict[str, Any]:
    expected = change.before * outcome.traffic
    return {
        "template": {"id": template.template_id, "text": template.text, "name": template.name},
        "service": comparison.service,
        "before": change.before,
        "after": change.after,
        "expected": round(expected, 3),
        "before_rate": change.before / outcome.logs_before,
        "after_rate": change.after / outcome.traffic / outcome.logs_before,
        "ratio": change.after / expected if expected else None,
        "score": round(change.score, 4),
        "first_seen": outcome.firsts.get(template.template_id),
        "last_seen_before": outcome.lasts.get(template.template_id),
        "sentence": explain_change(change, template.name or template.text, version),
        "query": _query(change, comparison, version),
    }


def _query(change: Change, comparison: Comparison, version: str) -> str:
    """Shows logs of the template: the version's, or those that it has no longer."""
    wanted: list[Condition] = [OfTemplate(change.template_id)]
    if comparison.service:
        wanted.append(Field("service", comparison.service))
    if change.after:
        wanted.append(Field("version", version))
    return text_of(AllOf(tuple(wanted)))
