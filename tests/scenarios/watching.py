"""Plays a scenario's counts into the watching step, in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from fakes.anomalies import MemoryCensus, MemorySessionLogs, MemorySessionStore, MemoryWatchStore
from scenarios.counting import counts
from scenarios.model import SLOT, Application, Scenario, Template
from scenarios.scoring import Found
from scenarios.traces import traced_logs
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.series import Cell
from sluice.anomalies.session_watch import SessionWatcher
from sluice.anomalies.watch import Watcher
from sluice.entries.model import Level

_APPLICATION_ID = 1


class PunctualCensus(MemoryCensus):
    """Census of logs that are stored in the minute in which they happen, so that weeks of them are looked up fast."""

    def lag(self, application_id: int, now: datetime) -> timedelta:
        return timedelta()

    def cells(
        self,
        application_id: int,
        events: tuple[datetime, datetime],
        received: tuple[datetime | None, datetime],
        *,
        is_by_minute: bool,
    ) -> Sequence[Cell]:
        since = max(events[0], received[0] or events[0])
        return super().cells(application_id, (since, min(events[1], received[1])), received, is_by_minute=is_by_minute)


def watch(scenario: Scenario, application: Application, step: timedelta) -> list[Found]:
    """The anomalies that are found by looking once per ``step``, after all that happens before ``judged_from``."""
    census = PunctualCensus()
    templates = dict(enumerate(sorted(application.templates), 1))
    numbers = {template: number for number, template in templates.items()}
    census.names[_APPLICATION_ID] = {number: template.text for number, template in templates.items()}
    for minute, template, number in counts(scenario, application):
        census.add(_APPLICATION_ID, Cell(minute, numbers[template], Level[template.level], number))
    store = MemoryWatchStore(census)
    watcher = Watcher(census, store)
    now = scenario.judged_from
    while now <= scenario.until:
        while watcher.watch(_APPLICATION_ID, now).is_behind:
            pass
        now += step
    return [_found(anomaly, templates) for anomaly in store.anomalies(_APPLICATION_ID)]


def _found(anomaly: Anomaly, templates: Mapping[int, Template]) -> Found:
    return Found(
        kind=anomaly.lead.kind,
        templates=frozenset(templates[each] for each in anomaly.template_ids),
        opened_at=anomaly.opened_at,
        sentence=anomaly.sentence,
    )


def watch_traces(scenario: Scenario, application: Application, step: timedelta) -> list[Found]:
    """The same with sessions, from the beginning."""
    census, session_logs = PunctualCensus(), MemorySessionLogs()
    templates = dict(enumerate(sorted(application.templates), 1))
    numbers = {template: number for number, template in templates.items()}
    census.names[_APPLICATION_ID] = {number: template.text for number, template in templates.items()}
    store, session_store = MemoryWatchStore(census), MemorySessionStore([_APPLICATION_ID])
    watcher = Watcher(census, store, session_episodes=session_store.episodes)
    session_watcher = SessionWatcher(census, session_logs, session_store, clock=lambda: 0.0)

    def look(now: datetime) -> None:
        while session_watcher.watch(_APPLICATION_ID, now, lambda: True).behind:
            pass
        while now >= scenario.judged_from and watcher.watch(_APPLICATION_ID, now).is_behind:
            pass
        session_logs.forget(now)

    now = scenario.since + step
    for slot, logs in traced_logs(scenario, application):
        if slot >= now + SLOT:  # a request that began before is over
            look(now)
            now += step
        for log in logs:
            number, level = numbers[log.template], Level[log.template.level]
            census.add(_APPLICATION_ID, Cell(log.at.replace(second=0, microsecond=0), number, level, 1))
            if log.trace_id:
                session_logs.add(_APPLICATION_ID, log.trace_id, number, level, log.at, log.at)
    while now <= scenario.until:
        look(now)
        now += step
    return [_found(anomaly, templates) for anomaly in store.anomalies(_APPLICATION_ID)]
