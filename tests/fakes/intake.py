"""Admission and queue together."""

from dataclasses import dataclass

from sluice.admission.model import Standing, announced
from sluice.admission.ports import Admission
from sluice.applications.model import KeyRecord
from sluice.streams.model import Submission, Submitted
from sluice.streams.ports import SubmissionQueue


@dataclass
class MemoryIntake:
    """Intake, in two steps."""

    admission: Admission
    queue: SubmissionQueue

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        standing = self.admission.admit(key, body_bytes)
        with announced(standing):
            return standing, self.queue.submit(submission)
