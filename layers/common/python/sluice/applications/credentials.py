"""Where log clients put their API key, and how a refusal tells them: HTTP headers only, never the URL."""

import base64
from collections.abc import Mapping


def read_credentials(headers: Mapping[str, str]) -> str | None:
    """What was sent as API key, or None. ``headers`` finds names in any case.

    ``X-API-Key`` comes first, then ``Authorization`` with Bearer, Splunk, ApiKey (the key, or base64 of ``id:key``) or
    Basic (the password is the key; the user does not matter). Never raises; whether it is a key is not decided here.
    """
    if direct := (headers.get("x-api-key") or "").strip():
        return direct
    scheme, _, value = (headers.get("authorization") or "").strip().partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer" | "splunk":
            return value or None
        case "apikey":
            return _second_half(value) or value or None
        case "basic":
            return _second_half(value)
    return None


def challenge(headers: Mapping[str, str]) -> str:
    """The ``WWW-Authenticate`` of a 401: every scheme taken.

    Without Basic where a page's script asks: the browser would not hand the page its 401, but open a password window.
    """
    schemes = ["Bearer", "ApiKey", "Splunk"]
    if headers.get("sec-fetch-mode", "navigate") == "navigate":
        schemes.insert(1, "Basic")
    return ", ".join(f'{scheme} realm="sluice"' for scheme in schemes)


def _second_half(encoded: str) -> str | None:
    """What follows the first colon in base64 text; None if there is nothing, or it is no base64."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    return decoded.partition(b":")[2].decode(errors="replace") or None
