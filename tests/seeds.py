"""The logs that the dashboard's tests look at."""

from datetime import UTC, datetime, timedelta
from typing import Any

SHOP = 200
LEVELS = ("debug", "info", "warning", "error", "critical")
MANY = 10_000
MARKUP = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
EVIL = f"{MARKUP} javascript:window.pwned=1 \x1b[31mred\x07 \u202ertl"
TRACEBACK = 'payment provider refused the connection\nTraceback (most recent call last):\n  File "pay.py", line 88'


def shop_logs() -> list[dict[str, Any]]:
    """Every tenth an error; and one that is hostile."""
    return [
        {
            "timestamp": timestamp,
            "level": "error" if at % 10 == 5 else "info",
            "message": TRACEBACK if at % 10 == 5 else f"order {at} placed",
            "host": f"web-{at % 3}",
            "trace_id": f"{at // 4:032x}",
            "metadata": {"order": at, "customer": {"name": "Ada" if at % 2 else "Bob"}, "snowflake": 2**53 + 1},
        }
        for at, timestamp in enumerate(times(SHOP - 1))
    ] + [{"timestamp": times(1)[0], "level": "critical", "message": EVIL, "metadata": {EVIL: EVIL}}]


def many_logs() -> list[dict[str, Any]]:
    """Each hundredth a warning."""
    return [
        {"timestamp": timestamp, "level": "warning" if at % 100 == 0 else "info", "message": f"number {at}"}
        for at, timestamp in enumerate(times(MANY))
    ]


def few_logs() -> list[dict[str, Any]]:
    """One of each level, all of it filled in."""
    return [
        {
            "timestamp": timestamp,
            "level": level,
            "message": TRACEBACK,
            "service": "pay",
            "host": "web-1",
            "logger": "pay.cards",
            "version": "1.2.3",
            "trace_id": f"{1:032x}",
            "span_id": f"{1:016x}",
            "session_id": "s-1",
            "metadata": {"region": "eu", "nested": {"empty": {}, "list": [1, None, True]}},
        }
        for level, timestamp in zip(LEVELS, times(len(LEVELS)), strict=True)
    ]


def refused_payments(seconds: int) -> list[dict[str, Any]]:
    """Five errors in each of the next seconds."""
    now = datetime.now(UTC)
    return [
        {
            "timestamp": (now + timedelta(seconds=at / 5)).isoformat(),
            "level": "error",
            "message": f"payment {at} refused {MARKUP}",
        }
        for at in range(5 * seconds)
    ]


def deployed_logs() -> list[dict[str, Any]]:
    """Of version 1.0 and then of 2.0: orders go on, carts are no longer saved, and payments are refused."""
    last = {"1.0": "cart {} saved", "2.0": "payment {} refused by the bank"}
    return [
        {
            "timestamp": timestamp,
            "level": "error" if version == "2.0" and at % 4 == 0 else "info",
            "message": (last[version] if at % 4 == 0 else "order {} placed").format(at),
            "version": version,
        }
        for at, timestamp in enumerate(times(800))
        for version in ["1.0" if at < 400 else "2.0"]
    ]


def times(count: int) -> list[str]:
    """So many times, oldest first, evenly over the eight minutes that ended half a minute ago."""
    end = datetime.now(UTC) - timedelta(minutes=0.5)
    return [(end - timedelta(minutes=8) * (1 - at / count)).isoformat() for at in range(count)]
