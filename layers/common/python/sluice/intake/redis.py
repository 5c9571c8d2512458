"""Intake in Redis: the scripts of admission and of the queue, unchanged, as one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

import redis

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
        *balances, verdict = answer.split(b" ")
        standing = self._admission.standing(key, question, balances)  # where it does not raise, there is a verdict
        with announced(standing):
            return standing, self._queue.verdict(submission.application_id, verdict)

    def submit_single(
        self, key: KeyRecord, body_bytes: int, batch_id: bytes, received_at: datetime, part: PackedPart
    ) -> tuple[Mapping[str, str], Submitted]:
        """See Intake.submit_single."""
        single = self._singles.get(key.key_id)
        if single is None or single.key is not key:
            single = self._single(key)
        check_size(single.question.rates, body_bytes)
        asked_at = self._admission.clock()
        lines, event_at = part.lines, microseconds(part.event_from)
        with translated():
            answer = single.ask(
                b"%d" % body_bytes,
                batch_id,
                batch_id.hex().encode(),
                microseconds(received_at),
                event_at,
                event_at,
                b"%d" % len(lines),
                stored(lines),
            )
        words = answer.decode().split(" ")
        if words[0] == words[3] == words[6] == "0" and words[9] == "queued":
            return plain_headers(single.question.rates, words), Submitted.QUEUED
        question = single.question._replace(asked_at=asked_at)
        *balances, verdict = answer.split(b" ")
        standing = self._admission.standing(key, question, balances)
        with announced(standing):
            return standing.headers(), self._queue.verdict(key.application_id, verdict)

    def _single(self, key: KeyRecord) -> "_Single":
        question = self._admission.single_question(key)
        keys, arguments = self._queue.single_command(key.application_id, key.retention_class)
        ask = self._script.prepared([*question.keys, *keys], [*question.arguments, *arguments])
        single = _Single(key, question, ask)
        if len(self._singles) >= _MAX_REMEMBERED:
            self._singles.clear()
        self._singles[key.key_id] = single
        return single


class _Single(NamedTuple):
    """How single logs of a key are sent."""

    key: KeyRecord
    question: Question
    ask: Callable[..., bytes]


def intake_source() -> str:
    """The script."""
    parts = [("sluice.admission", "admit"), ("sluice.streams", "submit")]
    functions = [f"local function {name}(KEYS, ARGV)\n{_body(package, name)}\nend\n" for package, name in parts]
    return "".join(("#!lua\n", *functions, _source("sluice.intake", "intake")))


def _body(package: str, name: str) -> str:
    return _source(package, name).removeprefix("#!lua\n")


def _source(package: str, name: str) -> str:
    return files(package).joinpath("scripts", f"{name}.lua").read_text()
