"""The findings that were looked at and accepted, each with its reason: exceptions.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE = Path(__file__).with_name("exceptions.toml")


@dataclass(frozen=True, slots=True)
class Exceptions:
    """``secrets`` are (path, SHA-1 of the text that looks like one), ``vulnerabilities`` are ids of advisories."""

    secrets: frozenset[tuple[str, str]]
    vulnerabilities: frozenset[str]

    @classmethod
    def load(cls, text: str | None = None) -> Self:
        """Raises ValueError for an exception without a reason."""
        tables = tomllib.loads(FILE.read_text(encoding="utf-8") if text is None else text)
        for entry in [*tables.get("secret", []), *tables.get("vulnerability", [])]:
            if not entry.get("reason", "").strip():
                raise ValueError(f"an exception without a reason: {entry}")
        return cls(
            frozenset((entry["path"], entry["sha1"]) for entry in tables.get("secret", [])),
            frozenset(entry["id"] for entry in tables.get("vulnerability", [])),
        )
