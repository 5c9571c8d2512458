"""Takes days that are older than their retention out of the log table: to the archive, or, if their class is not
archived, for good.

Trigger: a schedule of 15 minutes, and Invoke by the operator's command line (IAM is its authentication). Promise: a
row is in the log table or in the archive, never in neither and never in both, wherever a run dies; a day leaves the log
table in one transaction, and only when its objects were read back. A run does what it has time for, and the next one
goes on. On failure it raises, its message beginning with the code; of two runs at once one does nothing.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sluice.archive.aws import S3Objects, connect_s3
from sluice.archive.postgres import PostgresArchive, alone
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.archive.postgres_rehydration import PostgresRehydrations
from sluice.erasures.postgres import PostgresErasures
from sluice.errors import RejectedInput, SluiceError, Unavailable
from sluice.metrics.model import Sample
from sluice.runtime.observability import Logger, Metrics, count, keep, told, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import ArchiveSettings
from sluice.streams.redis import RedisQueue

if TYPE_CHECKING:
    from functions.archive.archiving import Archiver, Archiving, patiently
    from functions.archive.erasing import Eraser
    from functions.archive.overview import Overview
    from functions.archive.rehydrating import Rehydrator
    from functions.archive.searching import Searcher
else:
    from archiving import Archiver, Archiving, patiently
    from erasing import Eraser
    from overview import Overview
    from rehydrating import Rehydrator
    from searching import Searcher

logger = Logger()
metrics = Metrics(namespace="Sluice")

RESERVE_SECONDS = 60  # for the slice and the statement that are running when time is up
ANSWER_SECONDS = 20  # after which an operator gets an answer, to ask for the rest

type HasTime = Callable[[], bool]
type Action = Callable[[dict[str, Any], HasTime], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Archive:
    """The actions."""

    archiver: Archiver
    overview: Overview
    rehydrator: Rehydrator
    searcher: Searcher
    eraser: Eraser
    turns: Database  # of ``alone``

    def run(self, event: dict[str, Any], has_time: HasTime) -> dict[str, Any]:
        """Archives and deletes what is due, rehydrations included."""
        with alone(self.turns) as is_ours:
            if is_ours:
                self.rehydrator.tidy(has_time)
            done = self.archiver.run(has_time) if is_ours else Archiving(is_busy=True)
        count(metrics, "rows_archived", done.rows_archived)
        count(metrics, "rows_expired", done.rows_deleted)
        if is_ours:
            metrics.add("archive_lag", done.lag_seconds)
        return asdict(done)

    def _in_turn(self, act: Action) -> Action:
        """The action, which changes the archive, while nobody else does. Raises Unavailable ``archive_busy``."""

        def run(event: dict[str, Any], has_time: HasTime) -> dict[str, Any]:
            with alone(self.turns) as is_ours:
                if not is_ours:
                    raise Unavailable("archive_busy", "another run is at work: try again in a minute")
                return act(event, has_time)

        return run

    def answer(self, event: dict[str, Any], seconds_left: Callable[[], float]) -> dict[str, Any]:
        """Runs the event's action for about ``seconds``. Raises RejectedInput ``unknown_action``, ``invalid_seconds``
        and whatever the action raises."""
        actions: dict[str, Action] = {
            "run": self.run,
            "list": self.overview.days,
            "verify": self.overview.verify,
            "search": self.searcher.search,
            "erase": self._in_turn(self.eraser.erase),
            "receipts": self.eraser.receipts,
            "estimate": self.rehydrator.estimate,
            "rehydrate": self._in_turn(self.rehydrator.rehydrate),
            "rehydrations": self.rehydrator.all,
            "release": self._in_turn(self.rehydrator.release),
        }
        action = event.get("action", "run")
        if action not in actions:
            raise RejectedInput("unknown_action", f"action must be one of {', '.join(actions)}")
        seconds = event.get("seconds", None if action == "run" else ANSWER_SECONDS)
        if seconds is not None and (type(seconds) is not int or seconds < 1):
            raise RejectedInput("invalid_seconds", "seconds must be a whole number above 0")
        ends_at = time.monotonic() + (seconds or float("inf"))
        return actions[action](event, lambda: time.monotonic() < ends_at and seconds_left() > RESERVE_SECONDS)


@cache
def _dependencies() -> Archive:
    settings = ArchiveSettings.from_env()
    database = Database(settings.database_url)
    objects = S3Objects(connect_s3(), settings.bucket)
    reads = PostgresArchiveReads(database)
    rehydrations = PostgresRehydrations(database)
    archiver = Archiver(PostgresArchive(database), objects, utc_now, patiently)
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    return Archive(
        archiver,
        Overview(reads, objects),
        Rehydrator(reads, rehydrations, objects, utc_now, patiently),
        Searcher(reads, objects, utc_now),
        Eraser(PostgresErasures(database), rehydrations, objects, queue, archiver.clear, utc_now, patiently),
        Database(settings.database_url),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Schedule and Invoke entry point."""
    count(metrics, "archives", 1)
    try:
        answer = _dependencies().answer(event, lambda: context.get_remaining_time_in_millis() / 1000)
    except SluiceError as error:
        logger.error("archive failed", extra=told(error))
        keep(metrics, None, logger, [Sample("errors", 1, {"service": "archive", "code": error.code})])
        raise
    action = event.get("action", "run")
    logger.info("archive", extra={"action": action} | (answer if action == "run" else {}))
    return answer
