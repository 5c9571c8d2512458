"""Contract of intake: admission and the queue in one step."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from sluice.admission.model import Standing
from sluice.applications.model import KeyRecord
from sluice.entries.packing import PackedPart
from sluice.streams.model import Submission, Submitted


class Intake(Protocol):
    """What takes small requests in."""

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        """As ``Admission.admit`` and then ``SubmissionQueue.submit``, with their errors: what is not admitted is not
        queued. Errors of the queue carry the headers of the standing, and the request stays charged."""

    def submit_single[Answer](
        self,
        key: KeyRecord,
        body_bytes: int,
        batch_id: bytes,
        received_at: datetime,
        part: PackedPart,
        prepare: Callable[[Mapping[str, str]], Answer],
    ) -> tuple[Answer, Submitted]:
        """The same for a batch of one record that cannot come again, with what ``prepare`` makes of the standing's
        headers in place of it: it may be made while the queue is at work, or of several standings. ``batch_id``: 16
        bytes that no other batch has."""
