"""The use cases of templates: what applications' logs say, and how often."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.applications.model import KeyRecord
from sluice.search.model import MAX_LIMIT, Filters, LogQuery, OfTemplate, Visible
from sluice.templates.keys import template_key
from sluice.templates.masks import mask
from sluice.templates.parameters import parameters as parameters_of
from sluice.templates.postgres_reads import PostgresTemplates
from sluice.templates.query import (
    Span,
    parse_template_id,
    parse_template_query,
    parse_template_span,
    unknown_template,
)
from sluice.templates.statistics import parameter_statistics
from sluice.templates.summary import Summary, choose, summarise

if TYPE_CHECKING:
    from functions.query.reads import Reads
else:
    from reads import Reads

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Templates:
    """The use cases. Each takes the reader's key and the parameters of the URL."""

    reads: Reads
    open_templates: Callable[[Collection[int]], PostgresTemplates]

    def list(self, key: KeyRecord, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The templates of a time, with counts."""
        query = parse_template_query(parameters, self.reads.now())
        visible = self.reads.visible(key, query.applications)
        templates = self.open_templates(visible.ids)
        summaries, unclustered = self._summaries(templates, query.span)
        chosen = choose(summaries.values(), query)
        total = unclustered + sum(summary.count for summary in summaries.values())
        examples = templates.examples(chosen)
        return {
            **_span_members(query.span),
            "templates": [
                _shown(summary, visible, query.span, total) | {"example": examples.get(summary.latest_member)}
                for summary in chosen
            ],
            "total": total,
            "unclustered": unclustered,
            "health": [
                {
                    "application": visible.names[health.application_id],
                    "templates": health.template_count,
                    "overflowed_at": health.overflowed_at,
                }
                for health in templates.health()
            ],
        }

    def show(self, key: KeyRecord, text: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One template, or what it was merged into, with what stands in its places lately."""
        template_id = parse_template_id(text)
        span = parse_template_span(parameters, self.reads.now())
        visible = self.reads.visible(key)
        templates = self.open_templates(visible.ids)
        summaries, unclustered = self._summaries(templates, span)
        summary = next(
            (found for found in summaries.values() if template_id in (member.template_id for member in found.members)),
            None,
        )
        if summary is None:
            raise unknown_template(template_id)
        total = unclustered + sum(found.count for found in summaries.values())
        messages = self._messages(visible, summary, span)
        return {
            **_span_members(span),
            "template": _shown(summary, visible, span, total),
            "parameters": parameter_statistics(summary.root.text, messages),
            "examples": list(dict.fromkeys(messages))[:EXAMPLES],
            "members": [
                {
                    "id": member.template_id,
                    "text": member.text,
                    "created_at": member.created_at,
                    "merged_into": member.parent,
                    "merged_by": "person" if member.merged_into else "miner" if member.mined_into else None,
                    "split": member.is_split,
                }
                for member in summary.members
            ],
            "changes": templates.changes([member.template_id for member in summary.members]),
        }

    def of_log(self, key: KeyRecord, log: Mapping[str, Any]) -> dict[str, Any] | None:
        """A log's template as it is by now, with what its message has in each place; None as long as there is none."""
        visible = self.reads.visible(key, (log["application"],))
        templates = self.open_templates(visible.ids)
        if template_id := log.get("template_id"):
            found = templates.find(template_id)
        else:
            (application_id,) = visible.ids
            found = templates.find_by_key(template_key(application_id, mask(log["message"])))
        if found is None:
            return None
        values = parameters_of(found.text, log["message"])
        return {"id": found.template_id, "text": found.text, "name": found.name, "values": values}

    def _summaries(self, templates: PostgresTemplates, span: Span) -> tuple[dict[int, Summary], int]:
        counts = templates.counts(span)
        keys = {} if all(counted.template_id for counted in counts) else templates.keys()
        return summarise(templates.known(), keys, counts)

    def _messages(self, visible: Visible, summary: Summary, span: Span) -> Sequence[str]:
        """The latest messages of the template."""
        application_id = summary.root.application_id
        filters = Filters(OfTemplate(summary.root.template_id), since=span.since, until=span.until)
        reader = self.reads.open_reader(Visible({application_id: visible.names[application_id]}))
        page = reader.search(LogQuery(filters, self.reads.now(), limit=MAX_LIMIT, fields=("message",)))
        return [log["message"] for log in page.logs]


def _span_members(span: Span) -> dict[str, Any]:
    return {
        "since": span.since,
        "until": span.until,
        "interval_seconds": span.interval_seconds,
        "starts": list(span.starts),
    }


def _shown(summary: Summary, visible: Visible, span: Span, total: int) -> dict[str, Any]:
    return {
        "id": summary.root.template_id,
        "application": visible.names[summary.root.application_id],
        "text": summary.root.text,
        "name": summary.root.name,
        "ignored": summary.root.is_ignored,
        "count": summary.count,
        "share": round(summary.count / total, 6) if total else 0,
        "levels": summary.level_counts(),
        "first_seen": summary.first_seen,
        "last_seen": summary.last_seen,
        "trend": [summary.trend[start] for start in span.starts],
    }
