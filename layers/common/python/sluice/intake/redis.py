"""Intake in Redis: the scripts of admission and of the queue, unchanged, as one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

import redis

from sluice.admission.lease import Lease
from sluice.admission.model import Standing, announced, check_size, plain_headers
from sluice.admission.redis import Question, RedisAdmission
from sluice.applications.model import KeyRecord
from sluice.entries.packing import PackedPart
from sluice.runtime.redis import Script, translated
from sluice.streams.model import Submission, Submitted
from sluice.streams.parts import stored
from sluice.streams.redis import RedisQueue, microseconds

_MAX_REMEMBERED = 10_000


class RedisIntake:
    """See Intake. An application's state of admission and its queue are on one shard."""

    def __init__(self, client: redis.Redis, admission: RedisAdmission, queue: RedisQueue) -> None:
        self._admission, self._queue = admission, queue
        self._script = Script(client, intake_source())
        self._singles: dict[str, _Single] = {}  # by key id

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        """See Intake.submit."""
        question = self._admission.question(key, body_bytes)
        keys, arguments = self._queue.command(submission)
        with translated():
            answer = self._script([*question.keys, *keys], [*question.arguments, *arguments])
        *numbers, verdict = answer.split(b" ")
        # Where this does not raise, there is a verdict.
        standing = self._admission.standing(key, question, list(map(int, numbers)))
        with announced(standing):
            return standing, self._queue.verdict(submission.application_id, verdict)

    def submit_single[Answer](
        self,
        key: KeyRecord,
        body_bytes: int,
        batch_id: bytes,
        received_at: datetime,
        part: PackedPart,
        prepare: Callable[[Mapping[str, str]], Answer],
    ) -> tuple[Answer, Submitted]:
        """See Intake.submit_single."""
        single = self._singles.get(key.key_id)
        if single is None or single.key is not key:
            single = self._single(key, single)
        lease, question = single.lease, single.question
        check_size(question.rates, body_bytes)
        event_at = microseconds(part.event_from)
        command = (
            *(batch_id, batch_id.hex().encode(), microseconds(received_at)),
            *(event_at, event_at, str(part.line_bytes).encode(), stored(part.content)),
        )
        now = received_at.timestamp()
        numbers: Sequence[int]
        expected: list[Answer] = []
        try:
            if lease.spend(body_bytes, now):
                verdict = single.queue(
                    *command,
                    meanwhile=lambda: expected.append(prepare(plain_headers(question.rates, lease.balances()))),
                )
                if verdict == b"queued" and expected:
                    return expected[0], Submitted.QUEUED
                numbers = lease.balances()
            else:
                question = question._replace(asked_at=self._admission.clock())
                terms = lease.terms(body_bytes, now)
                answer = single.ask(*[str(number).encode() for number in (body_bytes, *terms)], *command)
                *words, verdict = answer.split(b" ")
                numbers = list(map(int, words))
                lease.renew(numbers, terms, now)
        except redis.RedisError:
            with translated():  # which takes its time even where nothing is wrong
                raise
        if verdict == b"queued":
            return prepare(plain_headers(question.rates, numbers)), Submitted.QUEUED
        standing = self._admission.standing(key, question, numbers)
        with announced(standing):
            submitted = self._queue.verdict(key.application_id, verdict)
        return prepare(standing.headers()), submitted

    def _single(self, key: KeyRecord, former: "_Single | None") -> "_Single":
        question = self._admission.single_question(key)
        keys, arguments = self._queue.single_command(key.application_id, key.retention_class)
        single = _Single(
            key,
            question,
            former.lease if former and former.question.rates == question.rates else Lease(question.rates),
            self._script.prepared([*question.keys, *keys], [*question.arguments, *arguments]),
            self._queue.script("submit").prepared(keys, arguments),
        )
        if len(self._singles) >= _MAX_REMEMBERED:
            self._singles.clear()
        self._singles[key.key_id] = single
        return single


class _Single(NamedTuple):
    """How single logs of a key are sent."""

    key: KeyRecord
    question: Question
    lease: Lease
    ask: Callable[..., bytes]  # for admission, and to queue what is admitted
    queue: Callable[..., bytes]


def intake_source() -> str:
    """The script."""
    parts = [("sluice.admission", "admit"), ("sluice.streams", "submit")]
    functions = [f"local function {name}(KEYS, ARGV)\n{_body(package, name)}\nend\n" for package, name in parts]
    return "".join(("#!lua\n", *functions, _source("sluice.intake", "intake")))


def _body(package: str, name: str) -> str:
    return _source(package, name).removeprefix("#!lua\n")


def _source(package: str, name: str) -> str:
    return files(package).joinpath("scripts", f"{name}.lua").read_text()
