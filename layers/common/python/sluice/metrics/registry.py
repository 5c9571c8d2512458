"""Every metric there is. What is not listed here cannot be counted: the type checker and the registry refuse it.

``kept`` metrics are added up in Redis, since functions do not live long enough for a scrape. ``scraped`` ones are read
at each scrape from where the truth is: queue, ledger and servers. All others go to CloudWatch alone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MetricName = Literal[
    "accepted",
    "admin_actions",
    "alert_transitions",
    "anomalies_found",
    "anomalies_open",
    "archive_lag",
    "archives",
    "backlog",
    "backlog_entries",
    "backlog_limit",
    "buckets_watched",
    "chunk_duration",
    "chunk_records",
    "chunks",
    "chunks_failed",
    "clients_waiting",
    "clustering_failures",
    "dead_lettered",
    "dead_letters_open",
    "deliveries",
    "drains",
    "duplicate",
    "errors",
    "evaluations",
    "filter_lag",
    "freshness",
    "in_flight",
    "incidents_firing",
    "indexes",
    "inspections",
    "lag",
    "ledger_accepted",
    "ledger_dead_lettered",
    "ledger_duplicate",
    "ledger_in_flight",
    "ledger_queue_rolled_back",
    "ledger_stored",
    "ledger_unaccounted",
    "lines_clustered",
    "lines_learnt",
    "lines_repaired",
    "lines_unmined",
    "notifications",
    "notifications_given_up",
    "notifications_pending",
    "oldest_notification",
    "oldest_pending",
    "pending_entries",
    "pool_connections",
    "pool_wait",
    "queue_rolled_back",
    "redelivered",
    "redis_memory",
    "redis_memory_limit",
    "rejected",
    "requests",
    "rows_archived",
    "rows_expired",
    "rows_filtered",
    "rules_enabled",
    "rules_failed",
    "rules_failing",
    "sends",
    "sessions_behind",
    "sessions_judged",
    "sessions_sampled",
    "sessions_skipped",
    "source_up",
    "stored",
    "templates",
    "templates_overflowed",
    "throttled",
    "unaccounted",
    "unmined_lines",
    "vanished_entries",
    "wakes",
    "wakes_failed",
    "watch_lag",
    "watches",
    "windows_judged",
]


class Kind(StrEnum):
    """As Prometheus tells them apart."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """As CloudWatch names them; Prometheus has the base unit in the name."""

    COUNT = "Count"
    SECONDS = "Seconds"
    BYTES = "Bytes"


class Place(StrEnum):
    """Where a metric can be read."""

    CLOUDWATCH = "CloudWatch"
    KEPT = "CloudWatch and /metrics"
    SCRAPED = "/metrics"
    BOTH = "CloudWatch, and at the source by /metrics"


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric says. ``bounds`` are the upper ends of a histogram's buckets."""

    kind: Kind
    unit: Unit
    place: Place
    sentence: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_COUNT, _SECONDS, _BYTES = Unit.COUNT, Unit.SECONDS, Unit.BYTES
_CLOUDWATCH, _KEPT, _SCRAPED, _BOTH = Place.CLOUDWATCH, Place.KEPT, Place.SCRAPED, Place.BOTH
_DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (0.5, 1, 2, 5, 10, 15, 30, 60, 300, 3_600)
_SIZES = (1, 10, 100, 1_000, 2_500, 5_000, 10_000, 25_000)
_APPLICATION = ("application",)

METRICS: dict[MetricName, Metric] = {
    "accepted": Metric(_COUNTER, _COUNT, _BOTH, "Records that ingest has promised to store.", _APPLICATION),
    "admin_actions": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Requests and invocations of the admin function."),
    "alert_transitions": Metric(_COUNTER, _COUNT, _KEPT, "What there was to tell of incidents.", ("kind",)),
    "anomalies_found": Metric(_COUNTER, _COUNT, _KEPT, "Anomalies that were opened."),
    "anomalies_open": Metric(_GAUGE, _COUNT, _SCRAPED, "Anomalies that go on, muted ones aside.", ("kind",)),
    "archive_lag": Metric(
        _GAUGE, _SECONDS, _CLOUDWATCH, "By how much the oldest day in the log table has outstayed its retention."
    ),
    "archives": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Runs of the function that archives."),
    "backlog": Metric(_GAUGE, _BYTES, _SCRAPED, "Memory that queued entries take, as the limit counts it."),
    "backlog_entries": Metric(_GAUGE, _COUNT, _SCRAPED, "Entries in the queue, those being stored included."),
    "backlog_limit": Metric(_GAUGE, _BYTES, _SCRAPED, "Backlog at which ingest refuses with 503, for each shard."),
    "buckets_watched": Metric(
        _COUNTER, _COUNT, _KEPT, "Ten minutes of one application that were looked at for anomalies."
    ),
    "chunk_duration": Metric(_HISTOGRAM, _SECONDS, _KEPT, "Time from a chunk's task to its end.", (), _DURATIONS),
    "chunk_records": Metric(_HISTOGRAM, _COUNT, _KEPT, "Records that one chunk settled.", (), _SIZES),
    "chunks": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Chunks that process_chunk was given."),
    "chunks_failed": Metric(_COUNTER, _COUNT, _KEPT, "Chunks that a drain saw fail; their entries come back."),
    "clients_waiting": Metric(_GAUGE, _COUNT, _SCRAPED, "Clients of PgBouncer that wait for a connection."),
    "clustering_failures": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Chunks stored without templates by a fault of ours."),
    "dead_lettered": Metric(_COUNTER, _COUNT, _BOTH, "Records that went to the dead letters.", _APPLICATION),
    "dead_letters_open": Metric(_GAUGE, _COUNT, _SCRAPED, "Dead letters that nobody has settled, counted to 10,000."),
    "deliveries": Metric(_COUNTER, _COUNT, _KEPT, "Entries that drains have claimed, repetitions included."),
    "drains": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Invocations of the drain."),
    "duplicate": Metric(
        _COUNTER, _COUNT, _BOTH, "Records that were stored already: a client's repetition.", _APPLICATION
    ),
    "errors": Metric(
        _COUNTER,
        _COUNT,
        _KEPT,
        "Requests and chunks that ended in an error; refused keys aside.",
        ("service", "code"),
    ),
    "evaluations": Metric(_COUNTER, _COUNT, _KEPT, "Times that a rule was looked at, failures included."),
    "filter_lag": Metric(_GAUGE, _SECONDS, _CLOUDWATCH, "Age of the oldest rows without a word filter."),
    "freshness": Metric(
        _HISTOGRAM, _SECONDS, _KEPT, "Age of a chunk's oldest record when it became visible, from receipt.", (), _AGES
    ),
    "in_flight": Metric(_GAUGE, _COUNT, _SCRAPED, "Records that are accepted and not settled yet.", _APPLICATION),
    "incidents_firing": Metric(_GAUGE, _COUNT, _SCRAPED, "Incidents that go on.", ("severity",)),
    "indexes": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Runs of the function that builds word filters."),
    "inspections": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Times that an operator looked at the queue."),
    "lag": Metric(_GAUGE, _SECONDS, _SCRAPED, "Age of the oldest entry in the queue; 0 for an empty one."),
    "ledger_accepted": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "Records that ingest has promised to store, of all applications."
    ),
    "ledger_dead_lettered": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "Records that went to the dead letters, of all applications."
    ),
    "ledger_duplicate": Metric(_GAUGE, _COUNT, _CLOUDWATCH, "Records that were stored already, of all applications."),
    "ledger_in_flight": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "Records accepted and not settled yet, of all applications."
    ),
    "ledger_queue_rolled_back": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "1 if the queue lost its memory and gave numbers out again."
    ),
    "ledger_stored": Metric(_GAUGE, _COUNT, _CLOUDWATCH, "Records in the log table, of all applications."),
    "ledger_unaccounted": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "Accepted records that are nowhere, of all applications. Must be 0."
    ),
    "lines_clustered": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Records that were given their template."),
    "lines_learnt": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Records whose line taught the miner something."),
    "lines_repaired": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Lines whose template was found later."),
    "lines_unmined": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Records stored before their template was found."),
    "notifications": Metric(
        _COUNTER,
        _COUNT,
        _KEPT,
        "Attempts to tell a channel something, by its kind and how they ended.",
        ("kind", "result"),
    ),
    "notifications_given_up": Metric(
        _COUNTER, _COUNT, _KEPT, "Messages that no channel will get: refused for good, or given up after a day."
    ),
    "notifications_pending": Metric(
        _GAUGE, _COUNT, _BOTH, "Messages to channels that have not arrived and are not given up."
    ),
    "oldest_notification": Metric(
        _GAUGE, _SECONDS, _BOTH, "Age of the oldest message that has not arrived and is not given up."
    ),
    "oldest_pending": Metric(
        _GAUGE, _SECONDS, _SCRAPED, "Age of the oldest entry that a drain has claimed and not acknowledged."
    ),
    "pending_entries": Metric(_GAUGE, _COUNT, _SCRAPED, "Entries that drains have claimed and not acknowledged."),
    "pool_connections": Metric(
        _GAUGE, _COUNT, _SCRAPED, "PgBouncer's connections to Postgres, by what they do.", ("state",)
    ),
    "pool_wait": Metric(_GAUGE, _SECONDS, _SCRAPED, "How long the first client in PgBouncer's queue has waited."),
    "queue_rolled_back": Metric(_GAUGE, _COUNT, _SCRAPED, "1 if the queue lost its memory and gave numbers out again."),
    "redelivered": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Records that an earlier run stored and did not acknowledge."),
    "redis_memory": Metric(_GAUGE, _BYTES, _SCRAPED, "Memory that Redis uses."),
    "redis_memory_limit": Metric(_GAUGE, _BYTES, _SCRAPED, "Redis's maxmemory; 0 if it has none."),
    "rejected": Metric(_COUNTER, _COUNT, _KEPT, "Records that ingest refused one by one.", ("code",)),
    "requests": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Requests that a function answered, errors included."),
    "rows_archived": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Rows that left the log table for the archive."),
    "rows_expired": Metric(
        _COUNTER, _COUNT, _CLOUDWATCH, "Rows that were deleted with their day, of classes that are not archived."
    ),
    "rows_filtered": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Rows that got a word filter."),
    "rules_enabled": Metric(_GAUGE, _COUNT, _SCRAPED, "Alert rules that are switched on."),
    "rules_failed": Metric(_COUNTER, _COUNT, _KEPT, "Times that a rule could not be judged.", ("code",)),
    "rules_failing": Metric(_GAUGE, _COUNT, _SCRAPED, "Alert rules that are switched on and cannot be judged."),
    "sends": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Messages that deliver was asked to send."),
    "sessions_behind": Metric(
        _GAUGE, _SECONDS, _CLOUDWATCH, "How far behind the latest logs are the sessions that are judged, at most."
    ),
    "sessions_judged": Metric(_COUNTER, _COUNT, _KEPT, "Traces and sessions that were complete, and compared."),
    "sessions_sampled": Metric(
        _GAUGE, _COUNT, _CLOUDWATCH, "Applications that have too many sessions to look at all: at a fixed share."
    ),
    "sessions_skipped": Metric(
        _COUNTER, _SECONDS, _KEPT, "Time of applications whose sessions nobody looked at, as that was hours behind."
    ),
    "source_up": Metric(
        _GAUGE, _COUNT, _SCRAPED, "1 if the source answered this scrape; its metrics stand for 0.", ("source",)
    ),
    "stored": Metric(_COUNTER, _COUNT, _BOTH, "Records in the log table.", _APPLICATION),
    "templates": Metric(_GAUGE, _COUNT, _SCRAPED, "Templates known; merged ones count once.", _APPLICATION),
    "templates_overflowed": Metric(
        _GAUGE, _COUNT, _SCRAPED, "Applications with more kinds of messages than there may be templates."
    ),
    "throttled": Metric(_COUNTER, _COUNT, _KEPT, "Requests refused with 429, by the limit.", ("policy",)),
    "unaccounted": Metric(_GAUGE, _COUNT, _SCRAPED, "Accepted records that are nowhere. Must be 0.", _APPLICATION),
    "unmined_lines": Metric(_GAUGE, _COUNT, _SCRAPED, "Lines that wait for their template, counted to 100,000."),
    "vanished_entries": Metric(_COUNTER, _COUNT, _KEPT, "Claimed entries that somebody trimmed from the queue."),
    "wakes": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Drains that ingest woke."),
    "wakes_failed": Metric(_COUNTER, _COUNT, _KEPT, "Drains that ingest failed to wake; the schedule comes later."),
    "watch_lag": Metric(
        _GAUGE, _SECONDS, _CLOUDWATCH, "How far behind now the time is up to which alert rules are judged."
    ),
    "watches": Metric(_COUNTER, _COUNT, _CLOUDWATCH, "Runs of the function that judges alert rules."),
    "windows_judged": Metric(_COUNTER, _COUNT, _KEPT, "Windows of alert rules that got a verdict, or another one."),
}


def prometheus_name(name: MetricName) -> str:
    """The metric's name at /metrics: prefix, base unit, and _total for counters."""
    metric = METRICS[name]
    unit = "" if metric.unit is Unit.COUNT else f"_{metric.unit.lower()}"
    return f"sluice_{name}{unit}{'_total' if metric.kind is Kind.COUNTER else ''}"
