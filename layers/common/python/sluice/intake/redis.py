"""Intake in Redis: the scripts of admission and of the queue, unchanged, as one."""

from importlib.resources import files

import redis

from sluice.admission.model import Standing, announced
from sluice.admission.redis import RedisAdmission
from sluice.applications.model import KeyRecord
from sluice.runtime.redis import Script, translated
from sluice.streams.model import Submission, Submitted
from sluice.streams.redis import RedisQueue


class RedisIntake:
    """See Intake. An application's state of admission and its queue are on one shard."""

    def __init__(self, client: redis.Redis, admission: RedisAdmission, queue: RedisQueue) -> None:
        self._admission, self._queue = admission, queue
        self._script = Script(client, intake_source())

    def submit(self, key: KeyRecord, body_bytes: int, submission: Submission) -> tuple[Standing, Submitted]:
        """See Intake.submit."""
        question = self._admission.question(key, body_bytes)
        keys, arguments = self._queue.command(submission)
        with translated():
            answer = self._script([*question.keys, *keys], [*question.arguments, *arguments])
        *balances, verdict = answer.split(b" ")
        standing = self._admission.standing(key, question, balances)  # where it does not raise, there is a verdict
        with announced(standing):
            return standing, self._queue.verdict(submission, verdict)


def intake_source() -> str:
    """The script."""
    parts = [("sluice.admission", "admit"), ("sluice.streams", "submit")]
    functions = [f"local function {name}(KEYS, ARGV)\n{_body(package, name)}\nend\n" for package, name in parts]
    return "".join(("#!lua\n", *functions, _source("sluice.intake", "intake")))


def _body(package: str, name: str) -> str:
    return _source(package, name).removeprefix("#!lua\n")


def _source(package: str, name: str) -> str:
    return files(package).joinpath("scripts", f"{name}.lua").read_text()
