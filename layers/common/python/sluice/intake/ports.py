"""Contract of intake: admission and the queue in one step."""

from typing import Protocol

from sluice.admission.model import Standing
from sluice.applications.model import KeyRecord
from sluice.streams.model import Submission, Submitted


class Intake(Protocol):
    """What takes small requests in."""

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        """As ``Admission.admit`` and then ``SubmissionQueue.submit``, with their errors: what is not admitted is not
        queued. Errors of the queue carry the headers of the standing, and the request stays charged."""
