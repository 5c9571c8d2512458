"""What the miner knows and decides."""

from dataclasses import dataclass

WILDCARD = "<*>"
OVERFLOW_TEXT = WILDCARD  # of the template for all that comes when there are too many, and for values alone


@dataclass(frozen=True, slots=True)
class Template:
    """A cluster of masked lines. All of it has to be stored for a miner to be rebuilt.

    ``text`` may become more general; ``template_id`` never changes; a template that was merged stays, and leads on.
    """

    template_id: int  # counts from 1 within an application
    text: str  # constants and ``<*>``, words separated by one blank
    merged_into: int | None = None  # the template that took its place
    is_split: bool = False  # a person keeps it apart: it describes its lines, and is merged with nothing


@dataclass(frozen=True, slots=True)
class Assignment:
    """What became of one masked line."""

    template_id: int  # of a template that is not merged into another
    is_new: bool  # this line made the template
    changed: tuple[Template, ...]  # templates to be stored: new, with another text, or now merged
    is_overflow: bool = False  # there are too many templates, so the line went to the one for all the rest
