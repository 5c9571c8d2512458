"""What a run of scenarios amounts to: tables for people, rows for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from scenarios.scoring import Found, Judged, Outcome, Score

NEEDED_SHARE = 0.95  # of the incidents
MOST_FALSE_ALARMS = 2  # of an application in a normal week
_HEADINGS = ("incidents", *Outcome)


def share_found(scores: Sequence[Score]) -> float:
    """Of all incidents."""
    outcomes = [judged.outcome for each in scores for judged in each.judged]
    return outcomes.count(Outcome.FOUND) / len(outcomes)


def false_alarms(scores: Sequence[Score]) -> list[int]:
    """Of each application in its normal week."""
    return [len(found) for each in scores for found in each.false_alarms.values()]


def is_good(scores: Sequence[Score]) -> bool:
    """Whether enough is found, and no application has too many false alarms."""
    return share_found(scores) >= NEEDED_SHARE and max(false_alarms(scores)) <= MOST_FALSE_ALARMS


def tables(scores: Sequence[Score]) -> Iterator[str]:
    """Lines: what happened to each kind of incident, what went wrong in particular, and the sum."""
    judged = [one for each in scores for one in each.judged]
    yield f"{'':16}" + "".join(f"{heading:>11}" for heading in _HEADINGS)
    for name in sorted({one.incident.name for one in judged}):
        outcomes = Counter(one.outcome for one in judged if one.incident.name == name)
        yield f"{name:16}" + "".join(
            f"{number:11}" for number in (outcomes.total(), *map(outcomes.__getitem__, Outcome))
        )
    yield ""
    for each in scores:
        yield from (f"seed {each.seed:3} {line}" for line in _mistakes(each))
    weekly = false_alarms(scores)
    beside = sum(len(found) for each in scores for found in each.beside.values())
    yield ""
    yield f"found once, in time, rightly explained: {share_found(scores):.1%} of {len(judged)}; goal {NEEDED_SHARE:.0%}"
    yield (
        f"false alarms of an application in a normal week: {sum(weekly) / len(weekly):.2f} on average, at most"
        f" {max(weekly)} of {len(weekly)}; goal {MOST_FALSE_ALARMS}"
    )
    yield f"in the five days with the incidents, about none of them: {beside}"


def rows(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """JSON-able, one for each seed."""
    return [
        {
            "seed": each.seed,
            "incidents": [_row(one) for one in each.judged],
            "false_alarms": {name: [_found(one) for one in found] for name, found in each.false_alarms.items()},
            "beside": {name: [_found(one) for one in found] for name, found in each.beside.items()},
        }
        for each in scores
    ]


def _mistakes(score: Score) -> Iterator[str]:
    for judged in score.judged:
        if judged.outcome is not Outcome.FOUND:
            incident = judged.incident
            times = f"{incident.onset:%a %d %H:%M}, visible {incident.visible:%H:%M}, until {incident.until:%H:%M}"
            yield f"{judged.application}: {incident.name} {judged.outcome} ({times})"
            yield from (f"    {_line(each)}" for each in judged.found)
    for heading, alarms in (("false alarm", score.false_alarms), ("beside", score.beside)):
        yield from (f"{name}: {heading} {_line(each)}" for name, found in alarms.items() for each in found)


def _line(found: Found) -> str:
    return f"{found.opened_at:%a %d %H:%M} {found.kind}: {found.sentence}"


def _row(judged: Judged) -> dict[str, Any]:
    incident = judged.incident
    return {
        "application": judged.application,
        "incident": incident.name,
        "onset": incident.onset.isoformat(),
        "visible": incident.visible.isoformat(),
        "until": incident.until.isoformat(),
        "outcome": judged.outcome,
        "found": [_found(each) for each in judged.found],
    }


def _found(found: Found) -> dict[str, Any]:
    return {"kind": found.kind, "opened_at": found.opened_at.isoformat(), "sentence": found.sentence}
