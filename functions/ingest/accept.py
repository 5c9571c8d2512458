"""The use case of ingest: authenticates, inflates, reads, admits and queues one request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from os import urandom
from typing import NamedTuple, Protocol
from uuid import UUID

from sluice.admission.model import Standing, announced
from sluice.admission.ports import Admission
from sluice.applications.lookup import KeyLookup
from sluice.applications.model import KeyRecord, Scope
from sluice.applications.ports import Clock
from sluice.entries.body import inflate_body
from sluice.entries.packing import PackedBatch
from sluice.errors import SluiceError
from sluice.intake.ports import Intake
from sluice.runtime.crash_points import crash_point
from sluice.runtime.posts import Post
from sluice.runtime.settings import IngestSettings
from sluice.streams.model import Submission, Submitted
from sluice.streams.parts import compressed_parts
from sluice.streams.ports import SubmissionQueue, Waker

SMALL_BYTES = 65_536  # of a body whose reading takes less than asking Redis first whether it may be read
FULL = frozenset(("backlog_full", "backlog_share_exceeded"))  # what for certain left a batch out of the queue


class Pack(Protocol):
    """Reads an inflated body in the form that a door takes, and packs its records."""

    def __call__(self, body: bytes, received_at: datetime, *, max_records: int, media_type: str) -> PackedBatch: ...


@dataclass(frozen=True, slots=True)
class Door:
    """How bodies of one form are taken in. With ``repeats_are_retries`` a body whose records all carry their time is
    its own idempotency key."""

    pack: Pack
    repeats_are_retries: bool = False


class Accepted(NamedTuple):
    """What became of one request."""

    batch_id: UUID
    batch: PackedBatch
    submitted: Submitted
    standing: Standing

    @property
    def is_replay(self) -> bool:
        """Whether it had been queued before."""
        return self.submitted is Submitted.REPLAYED


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use case."""

    lookup: KeyLookup
    admission: Admission
    queue: SubmissionQueue
    intake: Intake  # both in one
    settings: IngestSettings
    clock: Clock
    waker: Waker | None = None  # None: the drain comes by itself

    def accept(self, post: Post, door: Door) -> Accepted:
        """Takes one request in. Raises the errors of the steps.

        A small body is read before it is admitted, so that admission and queue take one round trip; of a large one
        nothing is read that is not admitted.
        """
        key = self.lookup.authenticate(post.api_key, Scope.INGEST)
        self.admission.recall(key)
        body = inflate_body(
            post.wire,
            post.content_encoding,
            max_wire_bytes=self.settings.max_body_bytes,
            max_inflated_bytes=self.settings.max_inflated_bytes,
        )
        if len(body) > SMALL_BYTES:
            standing = self.admission.admit(key, len(body))
            with announced(standing):
                batch, submission = self._read(key, post, door, body)
                return Accepted(submission.batch_id, batch, self._submit(key, submission, len(body)), standing)
        try:
            batch, submission = self._read(key, post, door, body)
        except SluiceError:
            with announced(self.admission.admit(key, len(body))):  # a request counts, whatever is in it
                raise
        standing, submitted = self._take_in(key, submission, len(body))
        return Accepted(submission.batch_id, batch, submitted, standing)

    def _read(self, key: KeyRecord, post: Post, door: Door, body: bytes) -> tuple[PackedBatch, Submission]:
        received_at = self.clock()
        batch = door.pack(body, received_at, max_records=self.settings.max_batch_records, media_type=post.media_type)
        token = post.idempotency_key
        may_come_again = token is not None or (door.repeats_are_retries and batch.is_timed)
        # What is never compared with another request's needs no look at the inflated body, which is much larger.
        body_hash = blake2b(body if may_come_again else post.wire, digest_size=16).digest()
        if token is None and may_come_again:
            token = f"\0{body_hash.hex()}"  # no header can hold U+0000
        submission = Submission(
            application_id=key.application_id,
            retention_class=key.retention_class,
            batch_id=_batch_id(key, token, received_at),
            received_at=received_at,
            body_hash=body_hash,
            parts=compressed_parts(batch),
            is_idempotent=token is not None,
            traceparent=post.traceparent,
        )
        return batch, submission

    def _take_in(self, key: KeyRecord, submission: Submission, body_bytes: int) -> tuple[Standing, Submitted]:
        if not submission.parts:
            return self.admission.admit(key, body_bytes), Submitted.QUEUED
        return self._queued(key, body_bytes, lambda: self.intake.submit(key, body_bytes, submission))

    def _submit(self, key: KeyRecord, submission: Submission, body_bytes: int) -> Submitted:
        if not submission.parts:
            return Submitted.QUEUED
        return self._queued(key, body_bytes, lambda: self.queue.submit(submission))

    def _queued[Result](self, key: KeyRecord, body_bytes: int, submit: Callable[[], Result]) -> Result:
        """What ``submit`` returns. A batch that finds the queue full costs nothing of the day's quota."""
        if __debug__:
            crash_point("ingest.before_submit")
        try:
            result = submit()
        except SluiceError as error:
            if error.code in FULL:
                self.admission.refund(key, body_bytes)
            raise
        if __debug__:
            crash_point("ingest.after_submit")
        return result


def _batch_id(key: KeyRecord, token: str | None, received_at: datetime) -> UUID:
    """The same for every try of one idempotent request; else random behind a millisecond, which keeps indexes dense."""
    if token is None:
        return UUID(int=int(received_at.timestamp() * 1000) << 80 | int.from_bytes(urandom(10)))
    return UUID(bytes=blake2b(f"{key.application_id}\0{token}".encode(), digest_size=16).digest())
