"""The template miner as an evaluation kit calls it, by the code that the functions run."""

from functools import lru_cache

from sluice.templates.keys import template_key
from sluice.templates.masks import mask
from sluice.templates.miner import Miner

APPLICATION = 1
WORKERS = 4
CACHED_KEYS = 100_000


def parse(messages: list[str]) -> list[tuple[int, str]]:
    """The final template's number and text for each message, all mined one by one."""
    return [pair for part in parse_sharded([messages]) for pair in part]


def parse_sharded(chunks: list[list[str]]) -> list[list[tuple[int, str]]]:
    """The same for chunks that parallel workers mask; their misses go to one miner."""
    miner = Miner()
    caches = [_Cache() for _ in range(WORKERS)]
    assigned: dict[int, int] = {}
    keys = [[caches[number % WORKERS].key(message) for message in chunk] for number, chunk in enumerate(chunks)]
    masked = {key: line for cache in caches for key, line in cache.lines.items()}
    for key in (key for part in keys for key in part):
        if key not in assigned:
            assigned[key] = miner.assign(masked[key]).template_id
    texts = {template.template_id: template for template in miner.templates}

    def final(number: int) -> tuple[int, str]:
        while (merged_into := texts[number].merged_into) is not None:
            number = merged_into
        return number, texts[number].text

    answers = {key: final(number) for key, number in assigned.items()}
    return [[answers[key] for key in part] for part in keys]


class _Cache:
    """Tier 1: what a warm worker remembers."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self._key = lru_cache(CACHED_KEYS)(self._new_key)

    def key(self, message: str) -> int:
        return self._key(mask(message))

    def _new_key(self, line: str) -> int:
        key = template_key(APPLICATION, line)
        self.lines[key] = line
        return key
