"""Watches over what is stored: judges sessions, finds anomalies, judges alert rules, window by window, and tells
channels of changes.

Trigger: a schedule of one minute, or Invoke. Promise: runs never overlap (a second one answers {"busy": true}), and
what changes is written with the events that tell of it, so a run may be killed anywhere and repeated at will: nothing
is told twice or left out. A step that fails or runs out of time stops no other; its rest comes next time. On failure it
raises at the end, naming the steps that failed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from sluice.alerts.postgres_lock import only_run
from sluice.alerts.postgres_source import PostgresLogSource
from sluice.alerts.postgres_states import PostgresRuleStates
from sluice.alerts.postgres_unusual import PostgresUnusual
from sluice.anomalies.postgres_census import PostgresCensus
from sluice.anomalies.postgres_evidence import PostgresEvidence
from sluice.anomalies.postgres_sessions import PostgresSessionLogs, PostgresSessionStore
from sluice.anomalies.postgres_watch import PostgresWatchStore
from sluice.anomalies.session_watch import SessionWatcher
from sluice.anomalies.watch import Watcher
from sluice.errors import SluiceError, Unavailable
from sluice.metrics.model import Sample
from sluice.metrics.redis import metric_store
from sluice.notifications.aws import LambdaSender
from sluice.notifications.postgres import PostgresDispatch
from sluice.notifications.postgres_backlog import PostgresBacklog
from sluice.runtime.observability import Logger, Metrics, count, keep, told, utc_now
from sluice.runtime.postgres import Database
from sluice.runtime.redis import connect_redis
from sluice.runtime.settings import WatchSettings
from sluice.streams.redis import RedisQueue

if TYPE_CHECKING:  # several functions have such files, which only the type checker sees together
    from functions.watch.anomalies import Anomalies
    from functions.watch.dispatch import Dispatch
    from functions.watch.rules import EVALUATED, Rules
    from functions.watch.sessions import Sessions
else:
    from anomalies import Anomalies
    from dispatch import Dispatch
    from rules import EVALUATED, Rules
    from sessions import Sessions

logger = Logger()
metrics = Metrics(namespace="Sluice")
metric_counts = metric_store(lambda: WatchSettings.from_env().redis_url)

LOCK_SECONDS = 100  # longer than a run may take
DATABASE_SECONDS = 15
RESERVE_SECONDS = 5  # for what is running when a step's time is up


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a run. ``run`` gets what tells whether there is time left, of its ``seconds``, and returns what it
    did, for the answer; it raises SluiceError."""

    name: str
    seconds: float
    run: Callable[[Callable[[], bool]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Watch:
    """The use case. ``lock``: a context that tells whether this is the only run."""

    lock: Callable[[], Any]
    steps: Sequence[Step]
    clock: Callable[[], float]

    def run(self, seconds_left: Callable[[], float]) -> dict[str, Any]:
        """All steps, each within its time and what is left of the run's. Raises Unavailable ``watch_failed``."""
        with self.lock() as is_ours:
            if not is_ours:
                return {"busy": True}
            answer: dict[str, Any] = {}
            failed: list[str] = []
            for step in self.steps:
                ends_at = self.clock() + min(step.seconds, seconds_left() - RESERVE_SECONDS)
                try:
                    answer[step.name] = step.run(lambda ends_at=ends_at: self.clock() < ends_at)  # type: ignore[misc]
                except SluiceError as error:
                    failed.append(f"{step.name}: {error}")
                    logger.error("a step failed", extra=told(error) | {"step": step.name})
                    sample = Sample("errors", 1, {"service": "watch", "code": error.code})
                    keep(metrics, metric_counts, logger, [sample])
        if failed:
            raise Unavailable("watch_failed", "; ".join(failed))
        return answer


@cache
def _dependencies() -> Watch:
    settings = WatchSettings.from_env()
    database = Database(settings.database_url, deadline_seconds=DATABASE_SECONDS)
    queue = RedisQueue(connect_redis(settings.redis_url), shard_count=settings.shard_count)
    open_source = partial(PostgresLogSource, database, has_census=settings.templates)
    rules = Rules(PostgresRuleStates(database, EVALUATED), open_source, queue, utc_now, logger, metrics, metric_counts)
    # Of a connection that is silent for long, the server may be gone: then this run does not end in COMMIT, and raises.
    lock = partial(only_run, Database(settings.database_url), LOCK_SECONDS)
    sender = LambdaSender(settings.deliver_function, timeout_seconds=settings.deliver_timeout_seconds)
    told, backlog = PostgresDispatch(database), PostgresBacklog(database)
    dispatch = Dispatch(told, backlog, sender, settings.key_pepper, utc_now, logger, metrics, metric_counts)
    census, session_store = PostgresCensus(database), PostgresSessionStore(database)
    session_watcher = SessionWatcher(census, PostgresSessionLogs(database), session_store)
    sessions = Sessions(session_watcher, queue, utc_now, logger, metrics, metric_counts)
    evidence, found = PostgresEvidence(database), session_store.episodes
    watcher = Watcher(census, PostgresWatchStore(database), evidence, session_episodes=found)
    unusual = PostgresUnusual(database)
    anomalies = Anomalies(watcher, unusual, open_source, queue, utc_now, logger, metrics, metric_counts)
    steps = (
        Step("sessions", 15, sessions.watch),
        Step("anomalies", 25, anomalies.watch),
        Step("rules", 25, rules.evaluate),
        Step("dispatch", 20, dispatch.run),
    )
    return Watch(lock, steps, time.monotonic)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Schedule and Invoke entry point."""
    count(metrics, "watches", 1)
    return _dependencies().run(lambda: context.get_remaining_time_in_millis() / 1000)
