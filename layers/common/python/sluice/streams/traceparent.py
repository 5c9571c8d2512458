"""The header traceparent (https://www.w3.org/TR/trace-context/#traceparent-header): of which trace a request is part.
Pure."""

import re

LENGTH = 55
_FORM = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_traceparent(header: str | None) -> str | None:
    """The header's LENGTH characters, without what later versions may add; None if it is absent, or invalid, for which
    no request may fail."""
    text = (header or "").strip()
    if not _FORM.match(text):
        return None
    rest = text[LENGTH:]
    return None if rest and (text.startswith("00") or rest[0] != "-") else text[:LENGTH]
