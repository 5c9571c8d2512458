"""Contract of admission."""

from collections.abc import Mapping
from typing import Protocol

from sluice.admission.model import Standing, Usage
from sluice.applications.model import KeyRecord, Limits


class Admission(Protocol):
    """Token buckets for requests and bytes, and a quota of bytes per UTC day, for each application."""

    def admit(self, key: KeyRecord, body_bytes: int) -> Standing:
        """Charges one request with an inflated body of so many bytes to all policies, or to none and raises Throttled,
        which names the violated ones. A refusal changes nothing.

        A bucket starts full. Bytes are admitted while their bucket is above 0, which may put it into debt, so that one
        body can be larger than the bucket; the day's quota is never exceeded. Raises RejectedInput ``body_too_large``
        (413) for a body above a whole day's quota, and Unavailable when the state cannot be reached or kept.
        """

    def recall(self, key: KeyRecord) -> None:
        """Raises Throttled, as ``admit`` would for any body, while a refusal that this process was given still holds:
        what is refused anyhow need not be inflated. Asks nobody, and never refuses what ``admit`` would take."""

    def refund(self, key: KeyRecord, body_bytes: int) -> None:
        """Gives back to the day's quota what was charged for a request that a full queue refused: its repetitions must
        not use up the day. Never raises; a refund that is lost costs the client these bytes."""


class UsageReader(Protocol):
    """The side of admission that only looks."""

    def used(self, limits: Mapping[int, Limits]) -> dict[int, Usage]:
        """By application id, for applications with these limits. Changes nothing. Raises Unavailable."""
