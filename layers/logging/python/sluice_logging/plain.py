"""Turns any Python value into plain JSON values, bounded in size, without ever raising."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from typing import Any

MAX_TEXT_CHARACTERS = 16_384
MAX_DEPTH = 8
MAX_VALUES = 1_000  # in one record
_MAX_INTEGER_BITS = 1_024
_CUT = " … "


def text_of(value: object) -> str:
    """``str(value)`` cut to MAX_TEXT_CHARACTERS, or a stand-in if that raises."""
    try:
        return shorten(str(value))
    except Exception:  # noqa: BLE001  # it is the application's code
        return f"<{type(value).__name__} without text>"


def shorten(text: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """``text`` with its middle left out if it is longer than ``limit`` characters: what went wrong stands at the end of
    a traceback, and where it began at its beginning."""
    if len(text) <= limit:
        return text[:]
    head = limit // 2
    return text[:head] + _CUT + text[head - limit + len(_CUT) :]


class Plain:
    """One pass over the values of one record; ``size_bytes`` is about what the result takes in memory."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._left = MAX_VALUES
        self._open: list[int] = []  # ids of the containers around the value at hand

    def value(self, value: Any) -> Any:
        """JSON values that stand for ``value``. What JSON has no type for becomes text."""
        try:
            return self._value(value)
        except Exception:  # noqa: BLE001  # it is the application's code, or changed while it was read
            return f"<{type(value).__name__} cannot be read>"

    def _value(self, value: Any) -> Any:
        self._left -= 1
        self.size_bytes += 64
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return self._value(value.value)
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, int):
            return int(value) if value.bit_length() <= _MAX_INTEGER_BITS else f"<{value.bit_length()} bit integer>"
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else repr(float(value))
        return self._container_or_text(value)

    def _container_or_text(self, value: Any) -> Any:
        if isinstance(value, (Mapping, list, tuple, set, frozenset, deque)):
            if id(value) in self._open:
                return "<circular>"
            if len(self._open) >= MAX_DEPTH:
                return f"<{type(value).__name__} of {len(value)}>"
            self._open.append(id(value))
            try:
                return self._mapping(value) if isinstance(value, Mapping) else self._sequence(value)
            finally:
                self._open.pop()
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(bytes(value[:MAX_TEXT_CHARACTERS]).decode("utf-8", "replace"))
        if isinstance(value, (datetime, date, time)):
            return self._text(value.isoformat())
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__name__}: {value}")
        return self._text(str(value) if type(value).__module__ in _PRINTED_MODULES else repr(value))

    def _mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                items["_more"] = f"{len(value) - len(items)} more"
                break
            items[self._text(key if type(key) is str else text_of(key))] = self.value(item)
        return items

    def _sequence(self, value: Any) -> list[Any]:
        items: list[Any] = []
        for item in value:
            if self._left <= 0:
                items.append(f"<{len(value) - len(items)} more>")
                break
            items.append(self.value(item))
        return items

    def _text(self, text: str) -> str:
        if len(text) > MAX_TEXT_CHARACTERS:
            text = shorten(text)
        self.size_bytes += len(text) if text.isascii() else 4 * len(text)
        return text


# Their text says what they are, without the constructor around it.
_PRINTED_MODULES = frozenset(("decimal", "fractions", "ipaddress", "pathlib", "pathlib._local", "uuid"))
