"""What a log must hold, or be, in order to fit filters: for word filters and the census to judge by."""

from sluice.entries.model import Level
from sluice.search import words
from sluice.search.model import METADATA, AllOf, AnyOf, Condition, Field, Filters, Levels, OfTemplate, Text


def required(filters: Filters) -> words.Clauses:
    """Follows from ``filters``: of each clause, a log that fits holds at least one token."""
    piece = words.piece(filters.text) if filters.text else words.ANYTHING
    return words.both(_required(filters.condition), piece)


def _required(condition: Condition) -> words.Clauses:
    match condition:
        case Text(text, is_prefix):
            return words.words(text, is_prefix=is_prefix)
        case Levels(lowest, highest):
            return words.levels(level for level in Level if lowest <= level <= highest)
        case Field(name, value, is_prefix=False) if name != "application" and not _may_be_an_index(name):
            return words.field(name, value)
        case AllOf(conditions):
            return words.both(*map(_required, conditions))
        case AnyOf(conditions):
            return words.either(*map(_required, conditions))
        case _:
            return words.ANYTHING


def required_templates(condition: Condition) -> frozenset[int] | None:
    """Follows from ``condition``: a log that fits is of one of these templates; None if it may be of any."""
    match condition:
        case OfTemplate(template_id):
            return frozenset({template_id})
        case AllOf(conditions):
            found = [templates for part in conditions if (templates := required_templates(part)) is not None]
            return min(found, key=len, default=None)
        case AnyOf(conditions):
            every = [required_templates(part) for part in conditions]
            known = [templates for templates in every if templates is not None]
            return frozenset().union(*known) if len(known) == len(every) else None
        case _:
            return None


def _may_be_an_index(name: str) -> bool:
    """Whether a part of the name may lead into an array, of which tokens know nothing."""
    return name.startswith(METADATA) and any(part.lstrip("-").isdigit() for part in name.split("."))
