"""The use case of ingest: authenticates, inflates, reads, admits and queues one request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
from sluice.entries.usual import pack_single
from sluice.errors import SluiceError
from sluice.intake.ports import Intake
from sluice.runtime.crash_points import crash_point
from sluice.runtime.posts import PlainPost, Post
from sluice.runtime.settings import IngestSettings
from sluice.streams.model import Submission, Submitted
from sluice.streams.parts import compressed_parts
from sluice.streams.ports import SubmissionQueue, Waker

SMALL_BYTES = 524_288  # of a body that is read before Redis is asked whether it may be: a thousand logs and more
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


class AcceptedSingle[Answer](NamedTuple):
    """The same of a request with one log."""

    batch_id: str
    submitted: Submitted
    answer: Answer


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

    def accept_single[Answer](
        self, post: PlainPost, prepare: Callable[[str, Mapping[str, str]], Answer]
    ) -> AcceptedSingle[Answer] | None:
        """The same for a usual log on its own, in a fraction of the time; None, and nothing has happened, for any other
        body. ``prepare`` makes the answer of the batch's id and of headers that say where the application stands; see
        Intake.submit_single."""
        if len(post.body) > self.settings.max_body_bytes:
            return None
        key = self.lookup.authenticate(post.api_key, Scope.INGEST)
        self.admission.recall(key)
        received_at = self.clock()
        part = pack_single(post.body, received_at)
        if part is None:
            return None
        batch_id, size = _new_batch_id(received_at), len(post.body)
        shown = batch_id.hex()
        answer, submitted = self._queued(
            key,
            size,
            lambda: self.intake.submit_single(key, size, batch_id, received_at, part, partial(prepare, shown)),
        )
        return AcceptedSingle(shown, submitted, answer)

    def _read(self, key: KeyRecord, post: Post, door: Door, body: bytes) -> tuple[PackedBatch, Submission]:
        received_at = self.clock()
        batch = door.pack(body, received_at, max_records=self.settings.max_batch_records, media_type=post.media_type)
        token = post.idempotency_key
        may_come_again = token is not None or (door.repeats_are_retries and batch.is_timed)
        if may_come_again:
            body_hash = blake2b(body, digest_size=16).digest()
            batch_id = _same_batch_id(key, token or f"\0{body_hash.hex()}")  # no header can hold U+0000
        else:
            body_hash = _new_batch_id(received_at)
            batch_id = UUID(bytes=body_hash)
        submission = Submission(
            application_id=key.application_id,
            retention_class=key.retention_class,
            batch_id=batch_id,
            received_at=received_at,
            body_hash=body_hash,
            parts=compressed_parts(batch),
            is_idempotent=may_come_again,
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


def _same_batch_id(key: KeyRecord, token: str) -> UUID:
    """The same for every try of one idempotent request."""
    return UUID(bytes=blake2b(f"{key.application_id}\0{token}".encode(), digest_size=16).digest())


def _new_batch_id(received_at: datetime) -> bytes:
    """Random behind a millisecond, which keeps indexes dense."""
    return int(received_at.timestamp() * 1000).to_bytes(6) + urandom(10)
