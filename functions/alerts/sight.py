"""Whose things a key may see and change, and the way from page to page."""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.applications.model import KeyRecord, Scope
from sluice.errors import RejectedInput
from sluice.search.parse import parse_words

MAX_LIMIT, DEFAULT_LIMIT = 500, 100


@dataclass(frozen=True, slots=True)
class Sight:
    """``applications``: by name of those with these ids (None: of all), their ids and what else is known of them."""

    applications: Callable[[Collection[int] | None], Mapping[str, tuple[int, Any]]]

    def visible(self, key: KeyRecord) -> set[int] | None:
        """Ids of the applications that the key sees; None: all."""
        return None if Scope.ADMIN in key.scopes else {key.application_id}

    def named(self, key: KeyRecord, text: str | None) -> tuple[str, ...]:
        """The applications that a request names, separated by commas. Raises RejectedInput ``unknown_application`` for
        one that this key does not see."""
        names = tuple(parse_words(text))
        if names:
            known = self.applications(self.visible(key))
            for name in names:
                if name not in known:
                    raise _unknown(name)
        return names

    def application_id(self, key: KeyRecord, name: Any) -> int:
        """Its id alone."""
        return self.application(key, name)[0]

    def application(self, key: KeyRecord, name: Any) -> tuple[int, str]:
        """Id and name of the application that something is for: by default the key's own. Raises as above."""
        if name is None:
            return key.application_id, key.application
        known = self.applications(self.visible(key))
        if not isinstance(name, str) or name not in known:
            raise _unknown(name)
        return known[name][0], name


def cursor_text(*place: Any) -> str:
    """Opaque text for a URL, from JSON values."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor[Place](text: str | None, read: Callable[..., Place]) -> Place | None:
    """What ``read`` makes of the values of ``cursor_text``; it raises ValueError or TypeError if they are others.
    Raises RejectedInput ``invalid_cursor``."""
    if not text:
        return None
    try:
        return read(*json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise RejectedInput("invalid_cursor", "pass a next_cursor of another page, unchanged") from error


def _unknown(name: Any) -> RejectedInput:
    return RejectedInput("unknown_application", f"this API key sees no application {str(name)[:63]!r}")
