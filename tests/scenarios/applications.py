"""Applications as they are when nothing is wrong."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from scenarios.catalogue import BANNER, FLOWS, HOURLY, LEAKS, LOGIN, NEWS, NIGHTLY, RARE, UNHANDLED, WEEKLY, template
from scenarios.chance import log_uniform
from scenarios.model import DAY, HOUR, MINUTE, STEADY, WEEK, Application, Flow, Job, Rhythm, Start


@dataclass(frozen=True, slots=True)
class Size:
    """Of an application: its flows, requests per minute of the least and of the most busy one, logs of a job."""

    flows: int
    least: float
    most: float
    job_logs: int
    has_hourly_jobs: bool


THICK = Size(3, 2.0, 200.0, 40, has_hourly_jobs=True)
SMALL = Size(2, 0.5, 5.0, 10, has_hourly_jobs=True)
THIN = Size(2, 0.1, 0.25, 6, has_hourly_jobs=False)


def make_application(chance: random.Random, name: str, size: Size, since: datetime, until: datetime) -> Application:
    """Everything about it by chance, the same for the same state of ``chance``."""
    weekend = chance.choice((chance.uniform(0.15, 0.6), chance.uniform(0.9, 1.4)))
    rhythm = Rhythm(chance.uniform(9, 21), chance.uniform(0.4, 0.85), weekend)
    flows = [
        Flow(log_uniform(chance, size.least, size.most), chance.choice((rhythm, rhythm, STEADY)), steps)
        for _, steps in sorted(chance.sample(sorted(FLOWS.items()), size.flows))
    ]
    background = (chance.choice(LEAKS), UNHANDLED)
    return Application(
        name=name,
        flows=(
            *flows,
            Flow(log_uniform(chance, size.least, size.most / 2), rhythm, LOGIN),
            *(Flow(size.least * chance.uniform(0.05, 0.3), rhythm, ((each, 1.0),)) for each in background),
            *_rare(chance),
        ),
        jobs=tuple(_jobs(chance, size)),
        starts=tuple(_starts(chance, size, since, until)),
        banner=BANNER,
        noise=chance.uniform(0.05, 0.2),
        growth=chance.uniform(0.0, 0.05),
    )


def _rare(chance: random.Random) -> list[Flow]:
    """What comes from once a day to once in three weeks."""
    lines = chance.sample(RARE, 8)
    return [Flow(log_uniform(chance, 1 / 21, 1.0) / (DAY / MINUTE), STEADY, ((template(line), 1.0),)) for line in lines]


def _jobs(chance: random.Random, size: Size) -> Iterator[Job]:
    if size.has_hourly_jobs:
        for line in chance.sample(HOURLY, 2):
            yield Job(template(line), chance.randint(1, size.job_logs // 2), 1, chance.randrange(60))
    nightly = template(chance.choice(NIGHTLY))
    yield Job(nightly, chance.randint(size.job_logs // 2, 4 * size.job_logs), 20, chance.randrange(60), 2)
    weekly = template(chance.choice(WEEKLY))
    yield Job(weekly, chance.randint(size.job_logs, 20 * size.job_logs), 60, chance.randrange(60), 3, 6)


def _starts(chance: random.Random, size: Size, since: datetime, until: datetime) -> Iterator[Start]:
    """Restarts, and deployments that are fine; of these, every third brings something harmless that it logs."""
    minor, build = chance.randrange(40), 0
    yield Start(since, f"2.{minor}.0")
    news = chance.sample(NEWS, len(NEWS))
    at = since
    while (at := _office_hours(chance, at + chance.uniform(0.25, 0.8) * WEEK)) < until:
        if chance.random() < 0.4:
            build += 1
            yield Start(at, f"2.{minor}.{build}")
            continue
        minor, build = minor + 1, 0
        brings = (
            [(template(news.pop()), size.least * chance.uniform(0.1, 0.5))] if news and chance.random() < 0.33 else []
        )
        yield Start(at, f"2.{minor}.0", tuple(brings))


def _office_hours(chance: random.Random, at: datetime) -> datetime:
    day = at.replace(hour=0, minute=0, second=0)
    return day + 9 * HOUR + timedelta(minutes=chance.randrange(9 * 60))
