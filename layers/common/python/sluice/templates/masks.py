"""Values in a message, recognised by their shape, become ``<*>``.

Pure and linear: only the first characters of a message count, and no pattern can match in two ways.
"""

import re

from sluice.templates.model import WILDCARD

MASK_VERSION = 1  # of the rules below: a line masked by other rules has another key
MAX_CHARACTERS = 4096  # of a message; what follows is one value

_TOKEN = re.compile(r"[^\s=,;()\[\]{}<>\"'|]+")
_HAS_DIGIT = re.compile(r"\d").search


def mask(message: str) -> str:
    """The message with its values as ``<*>``, blanks squeezed; at most 2 * MAX_CHARACTERS long."""
    head = message[:MAX_CHARACTERS].replace(WILDCARD, " * ")
    masked = " ".join(_TOKEN.sub(_mask_token, head).split())
    return f"{masked} {WILDCARD}" if len(message) > MAX_CHARACTERS else masked


def _mask_token(match: re.Match[str]) -> str:
    token = match[0]
    return WILDCARD if _HAS_DIGIT(token) else token
