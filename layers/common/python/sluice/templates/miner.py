"""Clusters masked lines into templates, one line at a time."""

from collections.abc import Iterable
from dataclasses import replace

from sluice.templates.model import OVERFLOW_TEXT, WILDCARD, Assignment, Template

MAX_TEMPLATES = 5_000
MAX_MEMBERS = 16
_LEAST_SIMILARITY = 0.6


class Miner:
    """The templates of one application. Lines have to come one after the other; the same ones give the same answers."""

    def __init__(self, templates: Iterable[Template] = (), *, max_templates: int = MAX_TEMPLATES) -> None:
        self._max_templates = max_templates
        self._templates: dict[int, Template] = {}
        self._by_length: dict[int, list[int]] = {}
        for template in sorted(templates, key=lambda template: template.template_id):
            self._add(template)

    @property
    def templates(self) -> tuple[Template, ...]:
        """All templates, also merged ones, by their number."""
        return tuple(self._templates.values())

    def assign(self, masked: str) -> Assignment:
        """The template of a masked line (see ``masks.mask``), and what that changed."""
        words = masked.split(" ")
        best = max(
            (self._templates[number] for number in self._by_length.get(len(words), ())),
            key=lambda template: _similarity(template.text.split(" "), words),
            default=None,
        )
        if best is None or _similarity(best.text.split(" "), words) < _LEAST_SIMILARITY:
            return self._create(masked)
        text = " ".join(a if a == b else WILDCARD for a, b in zip(best.text.split(" "), words, strict=True))
        changed = replace(best, text=text, members=_with_member(best.members, masked))
        if changed == best:
            return Assignment(best.template_id, is_new=False, changed=())
        self._templates[best.template_id] = changed
        return Assignment(best.template_id, is_new=False, changed=(changed,))

    def _create(self, masked: str) -> Assignment:
        is_full = len(self._templates) >= self._max_templates
        last = next(reversed(self._templates.values()), None)
        if is_full and last is not None and last.text == OVERFLOW_TEXT:
            return Assignment(last.template_id, is_new=False, changed=(), is_overflow=True)
        number = 1 if last is None else last.template_id + 1
        template = Template(number, OVERFLOW_TEXT) if is_full else Template(number, masked, (masked,))
        self._add(template)
        return Assignment(number, is_new=True, changed=(template,), is_overflow=is_full)

    def _add(self, template: Template) -> None:
        self._templates[template.template_id] = template
        if template.merged_into is None and template.text != OVERFLOW_TEXT:
            self._by_length.setdefault(template.text.count(" ") + 1, []).append(template.template_id)


def _similarity(template: list[str], words: list[str]) -> float:
    if WILDCARD not in (template[0], words[0]) and template[0] != words[0]:
        return 0.0
    return sum(a == b for a, b in zip(template, words, strict=True)) / len(words)


def _with_member(members: tuple[str, ...], masked: str) -> tuple[str, ...]:
    return members if masked in members or len(members) >= MAX_MEMBERS else (*members, masked)
