"""A seed's scenario: two weeks to learn from, a calm week, and five days in which everything happens."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scenarios.applications import THICK, Size, make_application
from scenarios.incidents import LONGEST, MAKERS, Maker
from scenarios.model import DAY, HOUR, SLOT, WEEK, Application, Scenario
from scenarios.odd_sessions import SESSION_MAKERS, with_long_flows

LEARNING = 2 * WEEK
EVENTFUL = 5 * DAY
_NAMES = ("shop", "portal", "wholesale")
_APART = 30 * HOUR
_TRIES = 50


def make_scenario(
    seed: int, since: datetime, size: Size = THICK, applications: int = len(_NAMES), calm: timedelta = WEEK
) -> Scenario:
    """The same for the same arguments. Each application has one incident of each kind after the ``calm`` time."""
    incidents_from = since + LEARNING + calm
    until = incidents_from + EVENTFUL
    chance = random.Random(f"scenario {seed}")
    made = (make_application(chance, name, size, since, until) for name in _NAMES[:applications])
    return Scenario(
        seed=seed,
        since=since,
        judged_from=since + LEARNING,
        incidents_from=incidents_from,
        until=until,
        applications=tuple(_with_incidents(chance, each, size, incidents_from, MAKERS) for each in made),
    )


def make_session_scenario(
    seed: int, since: datetime, size: Size, applications: int = len(_NAMES), calm: timedelta = WEEK
) -> Scenario:
    """The same for what goes wrong within sessions, after three days to learn from."""
    incidents_from = since + 3 * DAY + calm
    until = incidents_from + len(SESSION_MAKERS) * _APART + DAY
    chance = random.Random(f"sessions {seed}")
    made = (
        with_long_flows(chance, make_application(chance, name, size, since, until)) for name in _NAMES[:applications]
    )
    return Scenario(
        seed=seed,
        since=since,
        judged_from=since + 3 * DAY,
        incidents_from=incidents_from,
        until=until,
        applications=tuple(_with_incidents(chance, each, size, incidents_from, SESSION_MAKERS) for each in made),
    )


def _with_incidents(
    chance: random.Random, application: Application, size: Size, since: datetime, makers: Sequence[Maker]
) -> Application:
    for number, make in enumerate(chance.sample(makers, len(makers))):
        application = _with_visible_incident(chance, application, size, since + number * _APART, make)
    return replace(application, incidents=tuple(sorted(application.incidents, key=lambda incident: incident.onset)))


def _with_visible_incident(
    chance: random.Random, application: Application, size: Size, since: datetime, make: Maker
) -> Application:
    """One that shows within hours: when nobody is awake, nobody can tell that a service is silent."""
    for _ in range(_TRIES):
        at = since + chance.randrange(10 * HOUR // SLOT) * SLOT
        tried = make(chance, application, size, at)
        if tried.incidents[-1].visible < at + LONGEST:
            return tried
    raise ValueError(f"{make.__name__} is never visible in {application.name}")
