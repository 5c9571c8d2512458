"""What the benchmark shows: every key of build/bench.json, and what it should be."""

from dataclasses import dataclass


class BenchError(Exception):
    """A measurement that is worth nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A key and its target: at least, or at most, so much."""

    key: str
    target: float
    is_ceiling: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.target if self.is_ceiling else value >= self.target

    @property
    def goal(self) -> str:
        """The target as people write it."""
        return f"{'≤' if self.is_ceiling else '≥'} {self.target:g}"


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure's value, and the absolute figures behind it, for people."""

    value: float
    absolute: str = ""

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.absolute})" if self.absolute else f"{self.value:.3g}"


BATCHES = (1, 10, 100, 1_000)  # logs per request
FUNCTIONS = (
    *("ingest", "drain", "process_chunk", "query", "index", "watch"),
    *("alerts", "deliver", "archive", "admin", "dashboard"),
)
REQUEST_INPUTS = (
    *(f"ingest_ms_{batch}" for batch in BATCHES),
    *(f"queue_bytes_per_log_{batch}" for batch in BATCHES),
    "log_bytes_per_request",
)
STORED_INPUTS = (
    *("chunk_ms", "index_rows_per_second"),
    *("table_bytes_per_log", "table_and_index_bytes_per_log", "stored_bytes_per_log"),
)
COLD_INPUTS = tuple(f"cold_{what}_{function}" for what in ("ms", "modules", "mb") for function in FUNCTIONS)
ARCHIVE_INPUTS = (  # of `make bench-archive`
    *("archive_rows_per_second", "archive_bytes_per_log", "archive_text_bytes_per_log"),
    *("archive_verify_rows_per_second", "archive_search_rows_per_second", "rehydrate_rows_per_second"),
)
INPUTS = REQUEST_INPUTS + STORED_INPUTS + COLD_INPUTS  # without a target: infra/SIZING.md is computed from them
FIGURES = (
    Figure("ingest_single_vs_baseline", 5),
    Figure("ingest_batch_vs_baseline", 150),
    Figure("store_vs_copy", 0.75),
    Figure("store_vs_baseline", 15),
    Figure("mining_cost", 0.3),
    Figure("end_to_end_vs_copy", 0.3),
    Figure("end_to_end_vs_baseline", 50),
    Figure("freshness_p95_seconds_wake", 1.5, is_ceiling=True),
    Figure("freshness_p95_seconds_tick", 12, is_ceiling=True),
    Figure("store_10m_vs_100k", 0.9),
    Figure("page_10m_vs_100k", 2, is_ceiling=True),
    Figure("search_vs_scan", 10),
    Figure("bytes_per_log", 1.6, is_ceiling=True),
    Figure("layer_mb", 20, is_ceiling=True),
    Figure("ingest_modules", 350, is_ceiling=True),
    Figure("process_chunk_modules", 337, is_ceiling=True),
)
