"""Which rates of an application are watched, and what is known of an incident in one of them."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from sluice.anomalies.model import Kind

BUCKET = timedelta(minutes=10)
_TIMES = ("opened", "onset", "last", "baseline_from")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cell:
    """Logs of one application that count together. ``template_id`` is 0 where it is not known, and otherwise of a
    template that is not merged into another."""

    minute: datetime  # of the events, or an earlier one of the same bucket
    template_id: int
    level: int
    count: int


class Series(NamedTuple):
    """A rate: of one template, else of one level, else of all logs. With a ``reason``: the share of the sessions that
    begin with the template ``entry`` of which template_id makes that reason (see ReasonKind)."""

    level: int = 0
    template_id: int = 0
    reason: str = ""
    entry: int = 0

    @property
    def key(self) -> str:
        """How it is stored."""
        if self.reason:
            return f"session:{self.reason}:{self.entry}:{self.template_id}"
        return f"template:{self.template_id}" if self.template_id else f"level:{self.level}" if self.level else "all"

    @classmethod
    def from_key(cls, key: str) -> Self:
        name, _, number = key.partition(":")
        if name == "session":
            reason, entry, template_id = number.split(":")
            return cls(0, int(template_id), reason, int(entry))
        return cls(template_id=int(number)) if name == "template" else cls(int(number)) if number else cls()


ALL = Series()

type EpisodeKey = tuple[Series, datetime]


@dataclass(frozen=True, slots=True)
class Episode:
    """An incident in one series, from its ``onset`` to its ``last`` moment so far. ``series`` and the start of the
    bucket that ``opened`` it identify it. ``observed`` and ``expected`` are sums over the ``window`` that stands out
    most. Of sessions: ``total`` is how many the window has, ``sessions`` are a few of those observed, by their values
    of ``field``, and one in ``one_in`` of the application's was looked at."""

    series: Series
    opened: datetime
    kind: Kind
    onset: datetime
    last: datetime
    score: float
    observed: float
    expected: float
    window: tuple[datetime, datetime]
    baseline_from: datetime
    is_open: bool = True
    total: int = 0
    field: str = ""
    sessions: tuple[str, ...] = ()
    one_in: int = 1

    @property
    def key(self) -> EpisodeKey:
        return self.series, self.opened

    @property
    def is_above(self) -> bool:
        """Whether there were too many, not too few."""
        return self.observed > self.expected

    def to_state(self) -> dict[str, Any]:
        """JSON-able."""
        times = {name: getattr(self, name).isoformat() for name in _TIMES}
        window = [moment.isoformat() for moment in self.window]
        return asdict(self) | times | {"series": self.series.key, "window": window}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        times = {name: datetime.fromisoformat(state[name]) for name in _TIMES}
        since, until = map(datetime.fromisoformat, state["window"])
        rest = {
            "series": Series.from_key(state["series"]),
            "kind": Kind(state["kind"]),
            "window": (since, until),
            "sessions": tuple(state.get("sessions", ())),
        }
        return cls(**state | times | rest)


def bucket_of(moment: datetime) -> datetime:
    """The start of the bucket that holds ``moment``."""
    return moment - (moment - _EPOCH) % BUCKET


def series_of(cell: Cell) -> list[Series]:
    """Those in which its logs count."""
    of_all = [ALL, Series(cell.level)]
    return [*of_all, Series(0, cell.template_id)] if cell.template_id else of_all
