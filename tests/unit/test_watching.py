"""Watching: from counts to anomalies, whatever comes late and whoever is killed."""

import json
import math
import random
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from fakes import MemoryCensus, MemoryWatchStore
from sluice.anomalies.anomaly import Anomaly
from sluice.anomalies.model import Kind
from sluice.anomalies.ports import Conflict
from sluice.anomalies.series import BUCKET, Cell
from sluice.anomalies.watch import Watcher
from sluice.entries.model import Level

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
INCIDENT = START + 16 * DAY + 10 * HOUR
SHOP = 1
USUAL = {1: (Level.INFO, 300.0), 2: (Level.INFO, 40.0), 3: (Level.WARNING, 6.0), 4: (Level.ERROR, 2.0)}
NEWS = 9
NAMES = {1: "order <*> placed", 2: "cart <*> opened", 3: "slow answer", 4: "payment failed", NEWS: "no such column <*>"}

type Rate = Callable[[int, datetime, float], float]  # of a template in a bucket, from its usual rate


class Shop:
    """An application with a rhythm, watched in memory."""

    def __init__(self) -> None:
        self.census = MemoryCensus()
        self.store = MemoryWatchStore(self.census)
        self.watcher = Watcher(self.census, self.store)
        self.census.names[SHOP] |= NAMES
        self.rate: Rate = usual_rate
        self.chance, self.told = random.Random(1), START

    def tell(self, until: datetime) -> None:
        """Counts what happens up to then."""
        while self.told < until:
            for template_id, level, count in self.counts(self.told):
                self.census.add(SHOP, Cell(self.told, template_id, level, count))
            self.told += BUCKET

    def counts(self, at: datetime) -> list[tuple[int, int, int]]:
        daily = 1 + 0.5 * math.sin(2 * math.pi * at.hour / 24)
        found: list[tuple[int, int, int]] = []
        for template_id in sorted(NAMES):
            level, usual = USUAL.get(template_id, (Level.ERROR, 0.0))
            count = poisson(self.chance, self.rate(template_id, at, usual * daily))
            found += [(template_id, level, count)] if count else []
        return found

    def watch(self, until: datetime) -> list[Anomaly]:
        while self.watcher.watch(SHOP, until).is_behind:
            pass
        return self.store.anomalies(SHOP)


def usual_rate(_: int, __: datetime, usual: float) -> float:
    return usual


@cache
def learnt() -> Shop:
    """After sixteen days."""
    shop = Shop()
    shop.tell(INCIDENT - HOUR)
    shop.watch(INCIDENT - HOUR)
    return shop


def shop_with(rate: Rate = usual_rate, *, until: datetime = INCIDENT + 3 * HOUR) -> Shop:
    """What happens to it after it has learnt."""
    shop = deepcopy(learnt())
    shop.rate = rate
    shop.tell(until)
    return shop


def poisson(chance: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product = 0, chance.random()
    while product > math.exp(-mean):
        count += 1
        product *= chance.random()
    return count


def during(hours: float, *changed: int, to: Callable[[float], float]) -> Rate:
    def rate(template_id: int, at: datetime, usual: float) -> float:
        return to(usual) if template_id in changed and INCIDENT <= at < INCIDENT + hours * HOUR else usual

    return rate


def bad_deploy(template_id: int, at: datetime, usual: float) -> float:
    if not INCIDENT <= at < INCIDENT + HOUR:
        return usual
    return {NEWS: 40.0, 4: 30.0, 1: usual * 0.7}.get(template_id, usual)


def test_usual_traffic_is_no_anomaly() -> None:
    assert shop_with().watch(INCIDENT + 3 * HOUR) == []


def test_a_bad_deploy_is_one_anomaly_that_names_what_is_new() -> None:
    (anomaly,) = shop_with(bad_deploy).watch(INCIDENT + 3 * HOUR)
    assert anomaly.lead.kind in {Kind.NEW_TEMPLATE, Kind.SPIKE}
    assert {4, NEWS} <= set(anomaly.template_ids)
    assert anomaly.level == Level.ERROR
    assert anomaly.onset == INCIDENT
    assert anomaly.opened_at <= INCIDENT + 2 * BUCKET
    assert not anomaly.is_open
    assert "no such column <*>" in anomaly.sentence


def test_a_silence_of_everything() -> None:
    (anomaly,) = shop_with(during(2, *NAMES, to=lambda _: 0)).watch(INCIDENT + HOUR)
    assert anomaly.lead.kind is Kind.SILENCE
    assert anomaly.is_open
    assert anomaly.sentence.startswith("all logs: 0 in ")


def test_what_stands_out_is_found_before_its_bucket_is_over() -> None:
    shop = shop_with(during(1, 3, to=lambda _: 900), until=INCIDENT)
    assert shop.watch(INCIDENT) == []
    for minute in range(2):
        at = INCIDENT + minute * MINUTE
        for template_id, (level, usual) in USUAL.items():
            count = 90 if template_id == 3 else round(usual / 10)
            shop.census.add(SHOP, Cell(at, template_id, level, count))
    (anomaly,) = shop.watch(INCIDENT + 2 * MINUTE)
    assert (anomaly.opened_at, anomaly.lead.kind) == (INCIDENT + 2 * MINUTE, Kind.SPIKE)
    assert anomaly.template_ids[0] == 3


def test_bucket_by_bucket_and_all_at_once_find_the_same() -> None:
    later = INCIDENT + 30 * HOUR
    at_once = shop_with(bad_deploy, until=later).watch(later)
    shop = shop_with(bad_deploy, until=later)
    for bucket in range(30 * 6 + 1):
        found = shop.watch(INCIDENT + bucket * BUCKET)
    assert len(found) == 1
    assert [(each.key, each.onset, each.opened_at) for each in found] == [
        (each.key, each.onset, each.opened_at) for each in at_once
    ]


def test_what_is_over_stays_as_it_was_told() -> None:
    later = INCIDENT + 24 * HOUR
    shop = shop_with(during(0.3, 3, to=lambda _: 900), until=later)
    for bucket in range(24 * 6 + 1):
        found = shop.watch(INCIDENT + bucket * BUCKET)
    (anomaly,) = found
    assert anomaly.closed_at
    assert anomaly.closed_at <= INCIDENT + 5 * HOUR


def test_another_process_goes_on_where_one_stopped() -> None:
    shop, other = shop_with(bad_deploy), shop_with(bad_deploy)
    shop.watch(INCIDENT + 15 * MINUTE)
    shop.watcher = Watcher(shop.census, shop.store)
    shop.store._states = {key: json.loads(json.dumps(states)) for key, states in shop.store._states.items()}
    other.watch(INCIDENT + 15 * MINUTE)
    assert shop.watch(INCIDENT + 3 * HOUR) == other.watch(INCIDENT + 3 * HOUR)


def test_another_process_takes_over_at_any_time() -> None:
    shop = Shop()
    shop.tell(START + 3 * HOUR)
    for bucket in range(12):
        shop.watcher = Watcher(shop.census, shop.store)
        shop.watch(START + 2 * HOUR + bucket * BUCKET / 2)
    (progress,) = shop.store.progress()
    assert progress.watched_until == START + 2 * HOUR + 11 * BUCKET / 2


def test_what_cannot_be_saved_is_judged_again() -> None:
    shop = shop_with(bad_deploy)
    shop.watch(INCIDENT)
    rival = Watcher(shop.census, shop.store)
    rival.watch(SHOP, INCIDENT + BUCKET)
    with pytest.raises(Conflict):
        shop.watcher.watch(SHOP, INCIDENT + 2 * BUCKET)
    assert len(shop.watch(INCIDENT + 3 * HOUR)) == 1


def test_logs_that_come_late_take_a_silence_back() -> None:
    shop = shop_with(during(1, *NAMES, to=lambda _: 0))
    (anomaly,) = shop.watch(INCIDENT + HOUR)
    assert not anomaly.is_corrected
    shop.rate = usual_rate
    for minute in range(6):
        for template_id, level, count in shop.counts(INCIDENT + minute * BUCKET):
            shop.census.add(SHOP, Cell(INCIDENT + minute * BUCKET, template_id, level, count), INCIDENT + HOUR)
    (anomaly,) = shop.watch(INCIDENT + HOUR + BUCKET)
    assert anomaly.is_corrected
    assert not anomaly.is_open


def test_late_logs_that_change_no_verdict_change_no_anomaly() -> None:
    shop = shop_with(bad_deploy)
    before = shop.watch(INCIDENT + 2 * HOUR)
    shop.census.add(SHOP, Cell(INCIDENT - HOUR, 1, Level.INFO, 1), INCIDENT + 2 * HOUR)
    after = shop.watch(INCIDENT + 2 * HOUR + BUCKET)
    assert [(each.key, each.is_corrected) for each in after] == [(each.key, False) for each in before]


def test_a_history_that_is_brought_in_afterwards_is_learnt_from() -> None:
    shop = shop_with(bad_deploy)
    latest = Shop()
    brought = INCIDENT + 2 * HOUR
    latest.census.add(SHOP, Cell(INCIDENT - HOUR, 1, Level.INFO, 30))
    assert latest.watch(brought) == []
    for minute, counts in shop.census._counts[SHOP].items():
        for (template_id, level, _), count in counts.items():
            latest.census.add(SHOP, Cell(minute, template_id, level, count), max(minute, brought))
    (anomaly,) = latest.watch(INCIDENT + 3 * HOUR + 5 * MINUTE)  # logs come a quarter of an hour late by now
    assert NEWS in anomaly.template_ids


def test_ignored_templates_are_not_watched() -> None:
    shop = shop_with(during(1, 3, to=lambda usual: usual * 20))
    shop.census.ignored.add(3)
    assert all(3 not in {member.series.template_id for member in each.members} for each in shop.watch(INCIDENT + HOUR))


def test_a_template_that_becomes_part_of_another_is_no_silence() -> None:
    shop = shop_with()
    shop.watch(INCIDENT)
    shop.census.roots[2] = 1
    assert shop.watch(INCIDENT + 3 * HOUR) == []


def fail(application_id: int, error: Exception) -> None:
    raise AssertionError(application_id) from error


def test_an_application_that_cannot_be_watched_stops_no_other() -> None:
    shop = shop_with()
    shop.census.add(2, Cell(INCIDENT, 1, Level.INFO, 1))
    shop.store._states[SHOP] = {"catalogue": {}}
    shop.watcher = Watcher(shop.census, shop.store)
    failed: list[int] = []
    shop.watcher.run(INCIDENT + HOUR, lambda: True, lambda application_id, _: failed.append(application_id))
    assert failed == [SHOP]
    assert [each.application_id for each in shop.store.progress() if each.watched_until == INCIDENT + HOUR] == [2]


def test_each_application_has_its_turn() -> None:
    shop = shop_with()
    for application_id in (2, 3):
        shop.census.add(application_id, Cell(INCIDENT, 1, Level.INFO, 1))
    turns = iter([True, True])
    assert shop.watcher.run(INCIDENT + HOUR, lambda: next(turns, False), fail).is_behind
    until = {each.application_id: each.watched_until for each in shop.store.progress()}
    assert until == {SHOP: INCIDENT - HOUR, 2: INCIDENT + HOUR, 3: INCIDENT + HOUR}
    assert not shop.watcher.run(INCIDENT + HOUR, lambda: True, fail).is_behind
