"""From a claimed message to what deliver is asked."""

from sluice.notifications.model import ChannelKind, Claim, Task
from sluice.notifications.signing import signing_secret


def task_of(claim: Claim, pepper: bytes, not_after: float) -> Task:
    """One attempt, until ``not_after`` (UNIX time); only webhooks are signed."""
    versions = claim.secret_versions if claim.kind is ChannelKind.WEBHOOK else ()
    secrets = tuple(signing_secret(pepper, claim.channel_id, version) for version in versions)
    return Task(claim.message_id, claim.kind, claim.target, claim.message, not_after, secrets)
