"""Watching sessions: from logs to what is odd in them, whatever comes late and whoever is killed."""

import json
import random
from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from fakes import MemoryCensus, MemorySessionLogs, MemorySessionStore, MemoryWatchStore
from sluice.anomalies.anomaly import Anomaly, assemble
from sluice.anomalies.assembly import MAX_OPEN, Assembly, Piece
from sluice.anomalies.feedback import Feedback, Judged
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Conflict
from sluice.anomalies.series import Cell, Episode, Series
from sluice.anomalies.session_monitor import SessionMonitor
from sluice.anomalies.session_watch import QUIET, SessionWatcher
from sluice.anomalies.watch import Watcher
from sluice.entries.model import Level

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
INCIDENT = START + DAY + 6 * HOUR
SHOP = 1
OPENED, PAID, CONFIRMED, WARNED, PINGED, FAILED = range(1, 7)
NAMES = {
    OPENED: "basket opened",
    PAID: "payment taken",
    CONFIRMED: "order confirmed",
    WARNED: "slow",
    PINGED: "ping",
    FAILED: "out of stock",
}
LEVELS = {WARNED: Level.WARNING, FAILED: Level.ERROR}

type Steps = Callable[[random.Random, datetime], list[int]]


def usual(chance: random.Random, _: datetime) -> list[int]:
    return [OPENED, PAID, *([WARNED] if chance.random() < 0.1 else []), CONFIRMED]


class Shop:
    """An application with two orders a minute and a ping that is logged alone, watched in memory."""

    def __init__(self) -> None:
        self.census, self.logs, self.store = MemoryCensus(), MemorySessionLogs(), MemorySessionStore([SHOP])
        self.census.names[SHOP] |= NAMES
        self.watched = MemoryWatchStore(self.census)
        self.watcher = Watcher(self.census, self.watched, session_episodes=self.store.episodes)
        self.sessions = self.begin()
        self.chance, self.told, self.now = random.Random(1), START, START
        self.steps: Steps = usual
        self.late: set[int] = set()  # templates that come half an hour late

    def begin(self) -> SessionWatcher:
        """Another process."""
        return SessionWatcher(self.census, self.logs, self.store)

    def tell(self, until: datetime) -> None:
        """Logs what happens up to then."""
        while self.told < until:
            for number in range(2):
                name = f"{self.told:%d%H%M}-{number}"
                for place, template in enumerate(self.steps(self.chance, self.told)):
                    self.log(name, template, self.told + (5 + place) * SECOND)
            self.log(f"ping {self.told:%d%H%M}", PINGED, self.told)
            self.told += MINUTE

    def log(self, session: str, template: int, at: datetime) -> None:
        received = at + (30 * MINUTE if template in self.late else 0 * MINUTE)
        level = LEVELS.get(template, Level.INFO)
        self.logs.add(SHOP, session, template, level, at, received)
        minute = at.replace(second=0)
        self.census.add(SHOP, Cell(minute, template, level, 1), received.replace(second=0))

    def watch(self, until: datetime, step: timedelta = 10 * MINUTE) -> list[Episode]:
        self.tell(until)
        while self.now < until:
            self.now = min(self.now + step, until)
            while self.sessions.watch(SHOP, self.now, lambda: True).behind:
                pass
        return list(self.store.episodes(SHOP))

    def anomalies(self) -> list[Anomaly]:
        while self.watcher.watch(SHOP, self.now).is_behind:
            pass
        return self.watched.anomalies(SHOP)


@cache
def _learnt() -> Shop:
    shop = Shop()
    shop.watch(INCIDENT)
    shop.logs.forget(INCIDENT - HOUR)  # which nobody reads again
    return shop


def learnt_shop() -> Shop:
    """After a day and six hours of usual traffic."""
    return deepcopy(_learnt())


def losing(share: float, template: int = CONFIRMED) -> Steps:
    def steps(chance: random.Random, at: datetime) -> list[int]:
        is_lost = INCIDENT <= at < INCIDENT + HOUR and chance.random() < share
        return [step for step in usual(chance, at) if step != template or not is_lost]

    return steps


def test_nothing_is_odd_in_usual_traffic() -> None:
    assert learnt_shop().watch(INCIDENT + 18 * HOUR) == []


@pytest.mark.parametrize("template", [OPENED, PAID, CONFIRMED])
def test_sessions_that_lose_a_step(template: int) -> None:
    shop = learnt_shop()
    shop.steps = losing(0.4, template)
    assert shop.watch(INCIDENT) == []
    (found,) = shop.watch(INCIDENT + HOUR)
    assert found.series == Series(0, template, "missing", OPENED)
    assert found.opened <= INCIDENT + 20 * MINUTE
    assert INCIDENT <= found.onset < INCIDENT + 10 * MINUTE
    assert (found.is_open, found.kind, found.one_in) == (True, Kind.SESSION, 1)
    assert 30 <= found.observed <= 60 < found.total <= 120
    (over,) = shop.watch(INCIDENT + 3 * HOUR)
    assert (over.is_open, over.key) == (False, found.key)
    assert INCIDENT + 50 * MINUTE <= over.last < INCIDENT + HOUR


def test_it_is_one_anomaly_that_people_understand() -> None:
    shop = learnt_shop()
    shop.steps = losing(0.4)
    shop.watch(INCIDENT + HOUR)
    (found,) = shop.anomalies()
    assert found.lead.kind is Kind.SESSION
    assert found.template_ids[:2] == (CONFIRMED, OPENED)
    assert found.sentence.startswith(
        f"{found.lead.observed:.0f} of {found.lead.total} sessions that begin with “basket opened” lack “order"
        " confirmed”, which 99.9% of them had before, since 2026-03-03 06:0"
    )
    names = [part.removeprefix("trace_id:").strip('"') for part in found.query.split(" OR ")]
    assert 3 <= len(names) <= 5
    assert all(name.startswith("03") for name in names)
    shop.watch(INCIDENT + 4 * HOUR)
    assert [each.is_open for each in shop.anomalies()] == [False]


def test_single_odd_sessions_are_no_anomaly() -> None:
    shop = Shop()
    shop.steps = lambda chance, at: [OPENED, PAID] if at.minute == 7 and at.hour % 3 == 0 else usual(chance, at)
    assert shop.watch(START + 2 * DAY) == []


def test_another_number_of_times_and_a_seldom_error() -> None:
    shop = learnt_shop()

    def steps(chance: random.Random, at: datetime) -> list[int]:
        is_odd = at >= INCIDENT and chance.random() < 0.5
        return [*usual(chance, at), *([PAID, FAILED] if is_odd else [])]

    shop.steps = steps
    shop.watch(INCIDENT + HOUR)
    found = {each.series for each in shop.store.episodes(SHOP)}
    assert found == {Series(0, PAID, "count", OPENED), Series(0, FAILED, "seldom", OPENED)}
    assert len(shop.anomalies()) == 1


def test_a_new_step_without_harm_is_no_anomaly() -> None:
    shop = learnt_shop()
    shop.steps = lambda chance, at: [*usual(chance, at), *([PINGED] if at >= INCIDENT else [])]
    assert shop.watch(INCIDENT + 3 * HOUR) == []


def test_what_stays_is_no_longer_news() -> None:
    shop = learnt_shop()
    shop.steps = lambda chance, at: [OPENED, PAID] if at >= INCIDENT else usual(chance, at)
    (found,) = shop.watch(INCIDENT + 2 * HOUR)
    (over,) = shop.watch(INCIDENT + 26 * HOUR)
    assert (over.key, over.is_open) == (found.key, False)
    assert [each.is_open for each in shop.watch(INCIDENT + 38 * HOUR)] == []


def test_late_logs_take_an_anomaly_away() -> None:
    shop = learnt_shop()
    shop.late = {CONFIRMED}
    shop.tell(INCIDENT + 20 * MINUTE)
    shop.late = set()
    (found,) = shop.watch(INCIDENT + 28 * MINUTE)
    assert found.series == Series(0, CONFIRMED, "missing", OPENED)
    assert [each.is_corrected for each in shop.anomalies()] == [False]
    assert shop.watch(INCIDENT + HOUR) == []
    assert [(each.is_corrected, each.is_open) for each in shop.anomalies()] == [(True, False)]


def test_a_killed_process_changes_nothing() -> None:
    steady, killed = learnt_shop(), learnt_shop()
    killed.steps = steady.steps = losing(0.3)
    until = INCIDENT
    while until < INCIDENT + 2 * HOUR:
        until += 7 * MINUTE
        steady.watch(until, 7 * MINUTE)
        killed.sessions = killed.begin()  # which reads again what was not saved
        killed.watch(until, 7 * MINUTE)
    assert steady.store.episodes(SHOP)
    assert killed.store.episodes(SHOP) == steady.store.episodes(SHOP)


def test_of_two_processes_one_goes_on() -> None:
    shop = Shop()
    shop.watch(START + HOUR)
    other = shop.begin()
    shop.tell(START + 2 * HOUR)
    other.watch(SHOP, START + 2 * HOUR, lambda: True)
    with pytest.raises(Conflict):
        shop.sessions.watch(SHOP, START + 2 * HOUR, lambda: True)
    assert shop.sessions.watch(SHOP, START + 2 * HOUR, lambda: True).sessions == 0


def test_a_rate_that_shows_it_later_is_the_same_incident() -> None:
    window = INCIDENT, INCIDENT + HOUR
    lost = Series(0, CONFIRMED, "missing", OPENED)
    odd = Episode(lost, INCIDENT, Kind.SESSION, INCIDENT, INCIDENT + HOUR, 0.8, 30.0, 0.1, window, START, total=100)
    (known,) = assemble(SHOP, [], [odd], START, INCIDENT + HOUR, lambda _: Level.INFO)
    later = INCIDENT + HOUR
    for template, count in ((CONFIRMED, 1), (PINGED, 2)):
        drop = Episode(Series(0, template), later, Kind.DROP, later, later, 0.9, 3.0, 30.0, (later, later), START)
        found = assemble(SHOP, [known], [odd, drop], START, later, lambda _: Level.INFO)
        assert len({each.key for each in (known, *found)}) == count
        assert found[0].lead == (odd if count == 1 else drop)


def test_what_rates_are_not_judged_for_yet_waits() -> None:
    shop = learnt_shop()
    shop.steps = losing(0.4)
    shop.watch(INCIDENT + HOUR)
    opened = [each.opened_at for each in shop.anomalies()]
    assert len(opened) == 1
    assert INCIDENT < opened[0] <= INCIDENT + 20 * MINUTE


def test_noise_is_not_told_again() -> None:
    shop = learnt_shop()
    shop.steps = losing(0.4)
    shop.watch(INCIDENT + 30 * MINUTE)
    (found,) = shop.anomalies()
    subjects = frozenset({(found.lead.series, True)})
    shop.watched.verdicts[SHOP].append(Judged(Feedback.NOISE, shop.now, found.score, subjects))
    shop.watch(INCIDENT + 40 * MINUTE)
    assert [each.is_muted for each in shop.anomalies()] == [True]


def test_merged_templates_are_the_same_step() -> None:
    shop = learnt_shop()
    shop.steps = lambda chance, at: [FAILED if each == PAID else each for each in usual(chance, at)]
    shop.census.roots |= {PAID: FAILED}
    assert shop.watch(INCIDENT + 2 * HOUR) == []


def test_a_process_takes_turns_and_stops_in_time() -> None:
    shop = Shop()
    shop.tell(START + 3 * HOUR)
    looked_at = 0

    def has_time() -> bool:
        nonlocal looked_at
        looked_at += 1
        return looked_at < 10

    watched = shop.sessions.run(START + 3 * HOUR, has_time, lambda *_: pytest.fail("failed"))
    assert watched.behind > HOUR
    assert shop.sessions.run(START + 3 * HOUR, lambda: True, lambda *_: None).behind == 0 * HOUR


def test_a_watermark_may_go_back() -> None:
    shop = Shop()
    shop.watch(START + HOUR)
    assert shop.sessions.run(START + HOUR / 2, lambda: True, lambda *_: None).sessions == 0


def test_one_that_fails_stops_no_other() -> None:
    shop = Shop()
    shop.store.application_ids.append(2)
    shop.census.add(2, Cell(START, PAID, Level.INFO, 1))
    shop.logs.add(2, "a", PAID, None, START, START)  # type: ignore[arg-type]
    shop.logs.add(2, "a", PAID, Level.INFO, START, START)
    shop.tell(START + HOUR)
    failed: list[int] = []
    watched = shop.sessions.run(START + HOUR, lambda: True, lambda application_id, _: failed.append(application_id))
    assert failed == [2]
    assert watched.sessions > 100


def test_hours_behind_it_leaves_out_and_says_so() -> None:
    shop = Shop()
    shop.watch(START + HOUR)
    shop.tell(START + 9 * HOUR)
    watched = shop.sessions.watch(SHOP, START + 9 * HOUR, lambda: True)
    assert watched.skipped == 8 * HOUR - MINUTE
    assert watched.behind == 0 * HOUR


def test_an_application_without_sessions_costs_a_look_an_hour() -> None:
    shop = Shop()
    shop.logs.name = ""
    shop.tell(START + 3 * HOUR)
    looks: list[int] = []
    asked = shop.logs.field
    shop.logs.field = lambda *given: looks.append(1) or asked(*given)  # type: ignore[method-assign,func-returns-value]
    for minute in range(1, 181):
        assert shop.sessions.watch(SHOP, START + minute * MINUTE, lambda: True).pieces == 0
    assert len(looks) == 3


def pieces_of(sessions: int, templates: Collection[int] = (OPENED, PAID)) -> list[Piece]:
    at = START.timestamp()
    return [
        Piece(f"s{number}", number, template, Level.INFO, 1, at + place, at + place)
        for number in range(sessions)
        for place, template in enumerate(templates)
    ]


def test_too_many_sessions_are_looked_at_in_part() -> None:
    assembly = Assembly(START - DAY)
    assembly.add(pieces_of(3 * MAX_OPEN), START + MINUTE, QUIET)
    assert assembly.share == 2
    assert len(assembly.open) == 3 * MAX_OPEN // 4
    assert all(session.lot % 4 == 0 and len(session.events) == 2 for session in assembly.open.values())
    done = assembly.complete(START + 10 * MINUTE, QUIET)
    assert len(done) == 3 * MAX_OPEN // 4


def test_when_more_are_looked_at_those_that_may_have_begun_before_are_left_out() -> None:
    assembly = Assembly(START - DAY)
    assembly.halve()
    assembly.add(pieces_of(4, [OPENED]), START + MINUTE, QUIET)
    assembly.double(START + MINUTE)
    assembly.add(pieces_of(4, [PAID]), START + 2 * MINUTE, QUIET)
    done = assembly.complete(START + 10 * MINUTE, QUIET)
    assert [(each.name, each.counts) for each in done] == [(f"s{number}", {OPENED: 1, PAID: 1}) for number in (0, 2)]


def test_a_session_that_never_ends_is_cut() -> None:
    assembly = Assembly(START - DAY)
    for minute in range(61):
        assembly.add(pieces_of(1), START + minute * MINUTE, QUIET)
        done = assembly.complete(START + minute * MINUTE, QUIET)
        assert bool(done) == (minute == 60)


def test_a_session_with_a_log_of_an_unknown_template_is_not_judged() -> None:
    assembly = Assembly(START - DAY)
    assembly.add([*pieces_of(2), *pieces_of(1, [0])], START, QUIET)
    assert [each.name for each in assembly.complete(START + QUIET, QUIET)] == ["s1"]


def test_states_are_small_and_give_the_same() -> None:
    shop = learnt_shop()
    shop.steps = losing(0.3)
    shop.watch(INCIDENT + 30 * MINUTE)
    _, state, episodes = shop.store.load(SHOP)
    assert state
    monitor = SessionMonitor.from_state(state["monitor"], episodes)
    assert json.loads(json.dumps(monitor.to_state())) == state["monitor"]
    assert len(json.dumps(state)) < 30_000


def test_more_reasons_than_may_be_kept() -> None:
    monitor = SessionMonitor(START)
    for number in range(20):
        until = START + (number + 1) * 10 * MINUTE
        found = [
            Piece(f"{number} {each}", 0, 1_000 + each + number % 5 * 300, Level.ERROR, 1, *[until.timestamp() - 1] * 2)
            for each in range(300)
        ]
        monitor.feed(found, until, QUIET, {})
    state = monitor.to_state()
    assert len(state["kinds"]) <= 500
    assert len(state["suspects"]) <= 2_300


def test_the_sentence_says_that_a_part_was_looked_at() -> None:
    shop = learnt_shop()
    shop.steps = losing(0.4)
    shop.watch(INCIDENT + 30 * MINUTE)
    _, state, episodes = shop.store.load(SHOP)
    shop.store.save(replace(shop.store.load(SHOP)[0]), state or {}, [replace(episodes[0], one_in=8)])
    (found,) = shop.anomalies()
    assert found.sentence.endswith("; one in 8 sessions was looked at")
