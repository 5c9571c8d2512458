"""What a deployment needs and costs, from measured figures and list prices. Pure arithmetic; the tables of
infra/SIZING.md, which `make sizing` renews.

A function's time is measured on one core. Lambda gives a function of less than 1,769 MB only its part of one, so that
its time is taken to grow as that part shrinks. A billed gigabyte is 1,024 MB of memory, a stored one 10^9 bytes.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import archive_costs
from benchmarks.archive_costs import KEPT_DAYS, MONTH_DAYS, Day
from benchmarks.figures import BATCHES, FUNCTIONS

MEGABYTES_OF_A_CORE = 1_769
HTTP_MEGABYTES, CHUNK_MEGABYTES = 512, 1_769  # as template.yaml has them by default; a test compares
CHUNK_LOGS = 5_000
BACKLOG_LIMIT_BYTES = 134_217_728  # so has it this
LAMBDA_LOG_BYTES = 370  # its own lines START, END and REPORT, and 26 bytes that each line counts besides
HOURS = 730  # of a month
MILLION, GIGABYTE = 10**6, 10**9

type Numbers = Mapping[str, float]
type Line = Sequence[str]


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars for a million logs."""

    gateway: float
    ingest: float
    store: float
    index: float
    function_logs: float

    @property
    def total(self) -> float:
        return self.gateway + self.ingest + self.store + self.index + self.function_logs


@dataclass(frozen=True, slots=True)
class Size:
    """A deployment: average and highest logs per second, logs per request, days that logs are kept, and its servers."""

    name: str
    rate: int
    peak: int
    batch: int
    days: int
    database: str
    cache: str
    copies: int  # of the database, and of what else stands in one zone or in two
    bouncer: tuple[int, float]  # tasks of PgBouncer, and the cores of each; gigabytes are twice that

    @property
    def million_logs_a_month(self) -> float:
        return self.rate * 3_600 * HOURS / MILLION


# As infra/aws has them (a test counts).
CACHES = 2  # a primary and its replica
ENDPOINTS = 5  # interfaces, in each zone
SECRETS = 3  # passwords, connections, the administrator's
ALARMS = 20
FIRST_DISK_GB = 100
ARCHIVE = "archive of a year"  # a part of the bill

SIZES = (
    Size("small", 10, 100, 10, 7, "db.t4g.medium", "cache.t4g.small", 1, (1, 0.25)),
    Size("medium", 300, 3_000, 100, 14, "db.r7g.large", "cache.r7g.large", 2, (2, 0.5)),
    Size("large", 3_000, 20_000, 1_000, 7, "db.r7g.2xlarge", "cache.r7g.xlarge", 2, (2, 1)),
)


def billed_ms(core_ms: float, megabytes: int) -> float:
    """What Lambda bills for work that takes a core so long."""
    return core_ms * max(1, MEGABYTES_OF_A_CORE / megabytes)


def run_dollars(milliseconds: float, megabytes: int, prices: Numbers) -> float:
    """One invocation that is billed for so long."""
    seconds = milliseconds / 1_000 * megabytes / 1_024
    return seconds * prices["lambda_gb_second"] + prices["lambda_million_requests"] / MILLION


def bill(measured: Numbers, prices: Numbers, batch: int) -> Bill:
    """A million logs in requests of ``batch``, stored in full chunks."""
    requests, chunks = MILLION / batch, MILLION / CHUNK_LOGS
    ingest_ms = billed_ms(measured[f"ingest_ms_{batch}"], HTTP_MEGABYTES)
    index_ms = billed_ms(MILLION / measured["index_rows_per_second"] * 1_000, HTTP_MEGABYTES)
    return Bill(
        gateway=requests * prices["gateway_million_requests"] / MILLION,
        ingest=requests * run_dollars(ingest_ms, HTTP_MEGABYTES, prices),
        store=chunks * run_dollars(billed_ms(measured["chunk_ms"], CHUNK_MEGABYTES), CHUNK_MEGABYTES, prices),
        index=index_ms / 1_000 * HTTP_MEGABYTES / 1_024 * prices["lambda_gb_second"],
        function_logs=requests * (measured["log_bytes_per_request"] + LAMBDA_LOG_BYTES) / GIGABYTE * prices["logs_gb"],
    )


def ingest_concurrency(measured: Numbers, rate: float, batch: int) -> int:
    """Execution environments of ingest that are busy at once at so many logs per second."""
    return math.ceil(rate / batch * billed_ms(measured[f"ingest_ms_{batch}"], HTTP_MEGABYTES) / 1_000)


def chunk_concurrency(measured: Numbers, rate: float) -> int:
    """Runs of process_chunk at once, each with a connection of PgBouncer's pool, that store so many logs per second."""
    return math.ceil(rate / CHUNK_LOGS * billed_ms(measured["chunk_ms"], CHUNK_MEGABYTES) / 1_000)


def backlog_mb(measured: Numbers, rate: float, batch: int, seconds: float = 60) -> float:
    """Megabytes of Redis that the logs of so many seconds take."""
    return rate * seconds * measured[f"queue_bytes_per_log_{batch}"] / MILLION


def stored_gb(measured: Numbers, logs: float, *, key: str = "stored_bytes_per_log") -> float:
    """Gigabytes of Postgres that so many logs take."""
    return logs * measured[key] / GIGABYTE


def mode_dollars(measured: Numbers, prices: Numbers, mode: str, load: str) -> float:
    """A month of drain and process_chunk in a mode (wake, tick) under a load (idle, busy), as counted for an hour. A
    drain waits most of its time, so its milliseconds are billed as they are."""
    drain, chunk = (f"{mode}_{load}_{function}" for function in ("drain", "process_chunk"))
    hour = measured[f"{drain}_runs"] * run_dollars(measured[f"{drain}_ms"], HTTP_MEGABYTES, prices)
    hour += measured[f"{chunk}_runs"] * run_dollars(measured[f"{chunk}_ms"], CHUNK_MEGABYTES, prices)
    return HOURS * hour


def size_dollars(measured: Numbers, prices: Mapping[str, Any], size: Size) -> dict[str, float]:
    """A month of each part of a deployment. Too much by what process_chunk costs twice: for a log, and in the mode."""
    a_million, logs = bill(measured, prices, size.batch), size.million_logs_a_month
    tasks, cores = size.bouncer
    bouncer_hour = tasks * (cores * prices["fargate_cpu_hour"] + 2 * cores * prices["fargate_gb_hour"])
    fixed = prices["firewall_month"] + prices["key_month"] + SECRETS * prices["secret_month"]
    held = size.rate * 86_400 * size.days
    return {
        "gateway": logs * a_million.gateway,
        "functions": logs * (a_million.total - a_million.gateway) + mode_dollars(measured, prices, "wake", "busy"),
        "database": size.copies * HOURS * prices["hourly"][size.database],
        "storage": size.copies * max(stored_gb(measured, held), FIRST_DISK_GB) * prices["storage_gb_month"],
        "Redis": CACHES * HOURS * prices["hourly"][size.cache],
        "PgBouncer and its balancer": HOURS * (bouncer_hour + prices["balancer_hour"]),
        "endpoints": size.copies * ENDPOINTS * HOURS * prices["endpoint_hour"],
        "firewall, key, secrets, alarms": fixed + ALARMS * prices["alarm_month"],
        ARCHIVE: archive_dollars(measured, prices, size),
    }


def archived_day(measured: Numbers, size: Size) -> Day:
    """What leaves a deployment's log table in a day."""
    return archive_costs.day_of(measured, size.rate, archive_costs.APPLICATIONS[size.name])


def archiving_dollars(measured: Numbers, prices: Numbers, logs: float) -> float:
    """The function's time for so many logs."""
    seconds = billed_ms(logs / measured["archive_rows_per_second"], HTTP_MEGABYTES)
    return seconds * HTTP_MEGABYTES / 1_024 * prices["lambda_gb_second"]


def archive_dollars(measured: Numbers, prices: Numbers, size: Size) -> float:
    """A month of archiving, and of what was archived in a year."""
    day = archived_day(measured, size)
    requests, kept = archive_costs.request_dollars(prices, day), archive_costs.kept_dollars(prices, day)
    return archiving_dollars(measured, prices, MONTH_DAYS * day.logs) + requests + kept


def idle_dollars(measured: Numbers, prices: Mapping[str, Any], size: Size) -> float:
    """A month before the first log: the servers, with the disk that they begin with."""
    costs = size_dollars(measured, prices, size)
    disk: float = size.copies * FIRST_DISK_GB * prices["storage_gb_month"]
    return sum(costs[part] for part in costs.keys() - {"gateway", "functions", "storage", ARCHIVE}) + disk


def tables(measured: Numbers, prices: Mapping[str, Any]) -> dict[str, str]:
    """The page's tables as Markdown, by name."""
    return {
        "bill": _bill_table(measured, prices),
        "rate": _rate_table(measured),
        "backlog": _backlog_table(measured),
        "storage": _storage_table(measured, prices),
        "modes": _mode_table(measured, prices),
        "cold": _cold_table(measured),
        "sizes": _size_table(measured, prices),
        "archive": _archive_table(measured, prices),
        "measured": _measured_table(measured),
    }


def renewed(page: str, found: Mapping[str, str]) -> str:
    """The page with these tables between their marks. Raises ValueError if a mark is missing."""
    for name, table in found.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, first, rest = page.partition(start)
        _, second, after = rest.partition(end)
        if not (first and second):
            raise ValueError(f"the page has no place for the table {name!r}")
        page = f"{before}{start}{table}{end}{after}"
    return page


def _bill_table(measured: Numbers, prices: Numbers) -> str:
    bills = {batch: bill(measured, prices, batch) for batch in BATCHES}
    parts: dict[str, Callable[[Bill], float]] = {
        "API Gateway": lambda found: found.gateway,
        "ingest": lambda found: found.ingest,
        "process_chunk, full chunks": lambda found: found.store,
        "index": lambda found: found.index,
        "the functions' own logs": lambda found: found.function_logs,
        "**together**": lambda found: found.total,
    }
    lines = [(name, *(_dollars(part(bills[batch])) for batch in BATCHES)) for name, part in parts.items()]
    return _table(("dollars per million logs", *(f"{batch:,} a request" for batch in BATCHES)), lines)


def _rate_table(measured: Numbers) -> str:
    lines = [
        (
            f"{rate:,}",
            *(f"{ingest_concurrency(measured, rate, batch):,}" for batch in BATCHES),
            f"{chunk_concurrency(measured, rate):,}",
        )
        for rate in (100, 1_000, 10_000, 50_000)
    ]
    heads = (f"ingest, {batch:,} a request" for batch in BATCHES)
    return _table(("logs/s", *heads, "process_chunk and pool"), lines)


def _backlog_table(measured: Numbers) -> str:
    lines = [
        (
            f"{batch:,}",
            _digits(measured[f"queue_bytes_per_log_{batch}"]),
            f"{backlog_mb(measured, 1_000, batch):,.1f} MB",
            f"{BACKLOG_LIMIT_BYTES / MILLION / backlog_mb(measured, 1_000, batch):,.0f} min",
        )
        for batch in BATCHES
    ]
    return _table(("logs a request", "bytes a log", "a minute at 1,000 logs/s", "128 MiB last"), lines)


def _storage_table(measured: Numbers, prices: Numbers) -> str:
    parts = {
        "table": "table_bytes_per_log",
        "with indexes": "table_and_index_bytes_per_log",
        "with indexes, ledger and word filters": "stored_bytes_per_log",
    }
    lines = [
        (
            name,
            _digits(measured[key]),
            f"{stored_gb(measured, MILLION, key=key):.3f} GB",
            _dollars(stored_gb(measured, MILLION, key=key) * prices["storage_gb_month"]),
        )
        for name, key in parts.items()
    ]
    return _table(("", "bytes a log", "a million logs", "dollars a month"), lines)


def _mode_table(measured: Numbers, prices: Numbers) -> str:
    names = {"idle": "nothing is sent", "busy": "1,000 logs/s in 20 requests"}
    lines = [
        (
            f"`{mode}`, {names[load]}",
            *(
                f"{measured[f'{of}_runs']:,.0f} of {measured[f'{of}_ms']:,.0f} ms"
                for of in (f"{mode}_{load}_drain", f"{mode}_{load}_process_chunk")
            ),
            _dollars(mode_dollars(measured, prices, mode, load)),
        )
        for mode in ("wake", "tick")
        for load in names
    ]
    return _table(("mode", "drain, runs an hour", "process_chunk", "dollars a month"), lines)


def _measured_table(measured: Numbers) -> str:
    """But for cold starts, which have a table of their own."""
    lines = ((f"`{name}`", _digits(value)) for name, value in measured.items() if not name.startswith("cold_"))
    return _table(("measured", "value"), lines)


def _cold_table(measured: Numbers) -> str:
    lines = [
        (verb, *(_digits(measured[f"cold_{what}_{verb}"]) for what in ("modules", "ms", "mb"))) for verb in FUNCTIONS
    ]
    return _table(("function", "modules", "ms on a whole core", "MB"), lines)


def _size_table(measured: Numbers, prices: Mapping[str, Any]) -> str:
    costs = {size.name: size_dollars(measured, prices, size) for size in SIZES}
    facts: dict[str, Callable[[Size], str]] = {
        "logs/s on average, at the peak": lambda size: f"{size.rate:,}, {size.peak:,}",
        "logs a request, days kept": lambda size: f"{size.batch:,}, {size.days}",
        "logs a month": lambda size: f"{size.million_logs_a_month:,.0f} million",
        "servers": lambda size: f"{size.copies} × {size.database}, {CACHES} × {size.cache}",
        "ingest at once, at the peak": lambda size: f"{ingest_concurrency(measured, size.peak, size.batch)}",
        "process_chunk at once, pool": lambda size: f"{chunk_concurrency(measured, size.peak)}",
        "Redis a minute of backlog": lambda size: f"{backlog_mb(measured, size.peak, size.batch):,.1f} MB",
        "Postgres": lambda size: f"{stored_gb(measured, size.rate * 86_400 * size.days):,.0f} GB",
    }
    lines = [(name, *(fact(size) for size in SIZES)) for name, fact in facts.items()]
    lines += [
        (f"$ a month: {part}", *(f"{costs[size.name][part]:,.0f}" for size in SIZES)) for part in costs[SIZES[0].name]
    ]
    lines.append(
        ("$ a month before the first log", *(f"{idle_dollars(measured, prices, size):,.0f}" for size in SIZES))
    )
    lines.append(("**$ a month**", *(f"**{sum(costs[size.name].values()):,.0f}**" for size in SIZES)))
    a_million = (sum(costs[size.name].values()) / size.million_logs_a_month for size in SIZES)
    lines.append(("$ per million logs, all in", *map(_dollars, a_million)))
    return _table(("", *(size.name for size in SIZES)), lines)


def _archive_table(measured: Numbers, prices: Mapping[str, Any]) -> str:
    days = {size.name: archived_day(measured, size) for size in SIZES}

    def minutes(key: str, day: Day) -> str:
        return f"{_digits(billed_ms(day.logs / measured[key], HTTP_MEGABYTES) / 60)} min"

    facts: dict[str, Callable[[Day], str]] = {
        "logs a day": lambda day: f"{day.logs / MILLION:,.1f} million",
        "objects a day": lambda day: f"{day.objects:,}",
        "a month of logs": lambda day: f"{_digits(MONTH_DAYS * day.gigabytes)} GB",
        "a day is written in": lambda day: minutes("archive_rows_per_second", day),
        "$ a month: function": lambda day: _dollars(archiving_dollars(measured, prices, MONTH_DAYS * day.logs)),
        "$ a month: requests and moves": lambda day: _dollars(archive_costs.request_dollars(prices, day)),
        f"$ a month: {KEPT_DAYS} days kept": lambda day: _dollars(archive_costs.kept_dollars(prices, day)),
        f"$ a month: {KEPT_DAYS} days on one disk of Postgres instead": lambda day: _dollars(
            stored_gb(measured, KEPT_DAYS * day.logs) * prices["storage_gb_month"]
        ),
        "a day comes back in": lambda day: minutes("rehydrate_rows_per_second", day),
        "a day is searched in": lambda day: minutes("archive_search_rows_per_second", day),
        "$ for reading a day, once": lambda day: _dollars(archive_costs.read_dollars(prices, day)),
    }
    heads = (f"{size.name}, {archive_costs.APPLICATIONS[size.name]} applications" for size in SIZES)
    return _table(("", *heads), [(name, *(fact(days[size.name]) for size in SIZES)) for name, fact in facts.items()])


def _table(heads: Line, lines: Iterable[Line]) -> str:
    rows = (heads, ["---"] * len(heads), *lines)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _digits(value: float) -> str:
    """Three digits at least, all of a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _dollars(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
