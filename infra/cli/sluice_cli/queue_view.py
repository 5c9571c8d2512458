"""The queue as tables for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice_cli.render import make_table

type JsonObject = dict[str, Any]


def view(seen: JsonObject) -> Group:
    """Shards, applications, and pending entries if there are any; `seen` is as functions/query answers."""
    shards = seen["shards"]
    parts: list[RenderableType] = [_shard_table(shards)]
    applications = _application_table(shards)
    if applications.row_count:
        parts += [Text(), applications]
    pending = _pending_table(shards)
    if pending.row_count:
        parts += [Text(), pending]
    shown = pending.row_count
    total = sum(shard["group"]["pending_count"] for shard in shards if shard["group"])
    if total > shown:
        parts.append(Text(f"{total - shown:,} more pending entries: raise --pending", style="dim"))
    if any(shard["entry_count"] and not shard["group"] for shard in shards):
        parts.append(Text("No consumer group yet: the first drain makes it. Run: sluice drain", style="yellow"))
    return Group(*parts)


def age(seconds: float | None) -> str:
    """A span as an operator reads it: 0.4 s, 12 s, 3 min, 5 h, 2 d; "-" for None."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size(count: int) -> str:
    """Bytes as 12 B, 3.4 KiB, 5.6 MiB."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:,.1f} MiB"


def _shard_table(shards: list[JsonObject]) -> Table:
    headings = ("shard", "entries", "logs", "size", "oldest", "never\nhanded out", "pending", "consumers")
    return make_table(headings, map(_shard_row, shards), numeric=True)


def _shard_row(shard: JsonObject) -> tuple[str, ...]:
    group = shard["group"]
    counts = (_count(shard["entry_count"]), _count(shard["record_count"], _is_partial(shard)))
    place = (str(shard["shard"]), *counts, size(shard["size_bytes"]), age(shard["oldest_seconds"]))
    if group is None:
        return (*place, "-", "-", "no group")
    lag = "unknown" if group["lag_count"] is None else _count(group["lag_count"])
    members = group["consumers"]
    consumers = ", ".join(f"{member['name']} ({age(member['idle_seconds'])} idle)" for member in members[:5])
    more = f", {len(members) - 5} more" if len(members) > 5 else ""
    return (*place, lag, _count(group["pending_count"]), consumers + more)


def _application_table(shards: list[JsonObject]) -> Table:
    """Each application's part of its shard's bytes; those that wait come first."""
    rows = [
        (
            _name(share),
            str(shard["shard"]),
            _count(share["entry_count"], _is_partial(shard)),
            _count(share["record_count"], _is_partial(shard)),
            size(share["size_bytes"]),
            f"{share['size_bytes'] / shard['size_bytes']:.0%}" if shard["size_bytes"] else "-",
            _count(share["accepted_count"]),
        )
        for shard in shards
        for share in shard["applications"]
    ]
    return make_table(("application", "shard", "entries", "logs", "size", "of shard", "ever accepted"), rows, True)


def _pending_table(shards: list[JsonObject]) -> Table:
    entries = [(entry["age_seconds"], shard, entry) for shard in shards for entry in shard["pending"]]
    entries.sort(key=lambda item: -item[0])
    rows = [
        (
            entry["entry_id"],
            str(shard["shard"]),
            age(seconds),
            # A drain gives back what failed by setting its idle time to a day.
            "given back" if entry["idle_seconds"] > seconds + 1 else age(entry["idle_seconds"]),
            _count(entry["deliveries"]),
            *_content(shard, entry["header"]),
            entry["consumer"],
        )
        for seconds, shard, entry in entries
    ]
    headings = ("pending entry", "shard", "queued", "handed out", "deliveries", "logs", "application", "held by")
    return make_table(headings, rows, numeric=True)


def _content(shard: JsonObject, header: JsonObject | None) -> tuple[str, str]:
    if header is None:
        return "?", "not read" if _is_partial(shard) else "gone"
    count = header["record_count"]
    return "?" if count is None else _count(count), _name(header)


def _name(part: JsonObject) -> str:
    if part["application_id"] is None:
        return "(unreadable)"
    return str(part["application"] or f"number {part['application_id']}")


def _is_partial(shard: JsonObject) -> bool:
    return bool(shard["read_count"] < shard["entry_count"])


def _count(number: int, is_partial: bool = False) -> str:
    return f"{number:,}{'+' if is_partial else ''}"
