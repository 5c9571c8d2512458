"""Admission and queue together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sluice.admission.model import Standing, announced
from sluice.admission.ports import Admission
from sluice.applications.model import KeyRecord
from sluice.entries.packing import PackedPart
from sluice.streams.model import Part, Submission, Submitted
from sluice.streams.parts import stored
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

    def submit_single[Answer](
        self,
        key: KeyRecord,
        body_bytes: int,
        batch_id: bytes,
        received_at: datetime,
        part: PackedPart,
        prepare: Callable[[Mapping[str, str]], Answer],
    ) -> tuple[Answer, Submitted]:
        standing, submitted = self.submit(
            key,
            body_bytes,
            Submission(
                application_id=key.application_id,
                retention_class=key.retention_class,
                batch_id=UUID(bytes=batch_id),
                received_at=received_at,
                body_hash=batch_id,
                parts=(Part(1, part.event_from, part.event_to, part.line_bytes, stored(part.content)),),
                is_idempotent=False,
            ),
        )
        return prepare(standing.headers()), submitted
