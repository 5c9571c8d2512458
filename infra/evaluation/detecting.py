"""The anomaly detectors as an evaluation kit calls them."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise
from statistics import median_low

from sluice.anomalies.rates import RateDetector
from sluice.anomalies.sessions import SessionDetector
from sluice.templates.masks import mask
from sluice.templates.miner import Miner

Event = str | int  # a message or a template's id
_EARLY = 20  # points that tell how long a bucket is


def detect_sessions(sessions: Iterable[list[Event]]) -> Iterator[tuple[float, bool]]:
    """Score and decision for each session, before the next one is read."""
    detector = SessionDetector()
    template_id = _template_ids()
    for session in sessions:
        verdict = detector.feed(map(template_id, session))
        yield verdict.score, verdict.is_anomalous


def detect_rates(points: Iterable[tuple[datetime, float]], warm_up: int) -> Iterator[float]:
    """A score for each point, before the next one is read: an incident's in the bucket that opens it alone."""
    stream = iter(points)
    early = []
    for point in islice(stream, min(warm_up, _EARLY)):
        early.append(point)
        yield 0.0
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(early)]
    width = max(median_low(gaps), timedelta(seconds=1)) if gaps else timedelta(minutes=1)
    detector = RateDetector(width, learning=width * warm_up)
    for point in early:
        detector.feed(*point)
    for point in stream:
        verdict = detector.feed(*point)
        yield verdict.score if verdict.opens or verdict.kind is None else 0.0


def _template_ids() -> Callable[[Event], int]:
    miner = Miner()
    known: dict[str, int] = {}

    def template_id(event: Event) -> int:
        if isinstance(event, int):
            return event
        line = mask(event)
        if line not in known:
            known[line] = miner.assign(line).template_id
        return known[line]

    return template_id
