"""Templates that are one by now."""

from collections.abc import Mapping


def root_of(template_id: int, parents: Mapping[int, int]) -> int:
    """The template that ``template_id`` was merged into in the end; itself, if it was not. ``parents`` are what each
    one was merged into. In a circle, which a person and the miner can make together, each is its own."""
    seen = {template_id}
    root = template_id
    while (parent := parents.get(root)) is not None:
        if parent in seen:
            return template_id
        seen.add(parent)
        root = parent
    return root
