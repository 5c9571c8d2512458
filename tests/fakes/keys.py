"""Where keys are looked up."""

from dataclasses import dataclass, field

from sluice.applications.model import KeyRecord
from sluice.errors import Unavailable


@dataclass
class MemoryKeyStore:
    """KeyStore; ``is_down`` makes it unavailable, ``asked`` counts look-ups."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    is_down: bool = False
    asked: int = 0

    def find_key(self, key_id: str) -> KeyRecord | None:
        self.asked += 1
        if self.is_down:
            raise Unavailable("database_unavailable", "down")
        return self.keys.get(key_id)


@dataclass
class MemoryKeyCache:
    """KeyCache without expiry of its own; ``clear`` is what time does."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)

    def fetch_key(self, key_id: str) -> KeyRecord | None:
        return self.keys.get(key_id)

    def keep_key(self, key: KeyRecord) -> None:
        self.keys[key.key_id] = key

    def clear(self) -> None:
        self.keys.clear()
