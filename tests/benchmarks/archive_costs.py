"""What the archive of a deployment costs: see sizing.py, whose page shows it. Pure arithmetic."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.archive.lines import MAX_BYTES, MAX_ROWS

APPLICATIONS = {"small": 5, "medium": 20, "large": 50}  # by size: an object holds logs of one
KEPT_DAYS = 365
# Days after which an object is moved to the next class, as template.yaml has them; smaller objects are not moved.
INFREQUENT_DAYS, GLACIER_DAYS, SMALLEST_MOVED_BYTES = 30, 90, 128 * 1_024
MONTH_DAYS = 730 / 24
GIGABYTE = 10**9

type Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Day:
    """What leaves the log table of a deployment in a day."""

    logs: float
    objects: int
    gigabytes: float  # compressed

    @property
    def is_moved(self) -> bool:
        """Whether its objects are large enough for colder classes."""
        return self.gigabytes * GIGABYTE / self.objects >= SMALLEST_MOVED_BYTES


def day_of(measured: Numbers, logs_per_second: float, applications: int) -> Day:
    """A day, of which each application has the same part."""
    logs = logs_per_second * 86_400
    of_one = logs / applications
    most = min(MAX_ROWS, MAX_BYTES / measured["archive_bytes_per_log"])
    gigabytes = logs * measured["archive_bytes_per_log"] / GIGABYTE
    return Day(logs, applications * math.ceil(of_one / most), gigabytes)


def request_dollars(prices: Numbers, day: Day) -> float:
    """A month of writing objects, reading them back, and moving them twice."""
    thousands = day.objects * MONTH_DAYS / 1_000
    moves = prices["s3_infrequent_thousand_moves"] + prices["s3_glacier_thousand_moves"] if day.is_moved else 0
    return thousands * (prices["s3_thousand_puts"] + prices["s3_thousand_gets"] + moves)


def kept_dollars(prices: Numbers, day: Day) -> float:
    """A month of what is kept when the oldest of it is KEPT_DAYS old."""
    if not day.is_moved:
        return KEPT_DAYS * day.gigabytes * prices["s3_gb_month"]
    return day.gigabytes * (
        INFREQUENT_DAYS * prices["s3_gb_month"]
        + (GLACIER_DAYS - INFREQUENT_DAYS) * prices["s3_infrequent_gb_month"]
        + (KEPT_DAYS - GLACIER_DAYS) * prices["s3_glacier_gb_month"]
    )


def read_dollars(prices: Numbers, day: Day) -> float:
    """Reading a day of the coldest class once."""
    return day.gigabytes * prices["s3_glacier_gb_read"] + day.objects / 1_000 * prices["s3_glacier_thousand_gets"]
