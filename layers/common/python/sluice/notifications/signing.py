"""Signed webhooks as in Standard Webhooks 1.0 (https://www.standardwebhooks.com): who receives one can tell that it
comes from this deployment, is fresh and unchanged.

A channel's secrets are derived from the deployment's pepper, so that nobody finds them in the database.
"""

import base64
import hmac
from collections.abc import Iterable

_PREFIX = "whsec_"


def signing_secret(pepper: bytes, channel_id: str, version: int) -> str:
    """The channel's secret of this version (1, 2, …): ``whsec_`` and base64 of 32 bytes."""
    raw = hmac.digest(pepper, f"webhook signing: {channel_id} {version}".encode(), "sha256")
    return _PREFIX + base64.b64encode(raw).decode()


def signature_headers(message_id: str, sent_at: int, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """The headers of a webhook sent at ``sent_at`` (UNIX time, whole seconds), with a signature by each secret: while a
    secret is being changed, receivers know the old one or the new one."""
    signed = b"%s.%d.%s" % (message_id.encode(), sent_at, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
