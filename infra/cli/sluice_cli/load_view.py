"""The load tester's summary for people."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from sluice_cli.loading.generator import Generator
from sluice_cli.render import make_table, printable

type JsonObject = dict[str, Any]


def progress_line(generator: Generator) -> str:
    """A run so far, in one line."""
    tally, seconds = generator.tally, max(generator.elapsed_seconds(), 0.001)
    errors = sum(tally.errors.values())
    found = tally.percentiles(tally.latency)
    return (
        f"{seconds:.0f} s  {tally.answered / seconds:,.1f} requests/s  {tally.accepted_logs / seconds:,.0f} logs/s  "
        f"{tally.in_flight} in flight  {errors:,} errors  p50 {found['p50']:,.0f} ms  p99 {found['p99']:,.0f} ms"
    )


def view(summary: JsonObject) -> Group:
    """The whole summary."""
    requests, logs = summary["requests"], summary["logs"]
    rows = [
        ("rate", f"{summary['achieved_rate']:,g} requests/s of {summary['asked_rate']:,g} asked"),
        ("requests", f"{requests['sent']:,} sent, {requests['accepted']:,} accepted{_more(requests)}"),
        ("logs", f"{logs['sent']:,} sent, {logs['accepted']:,} accepted, {logs['accepted_per_second']:,g} a second"),
        *((f"  {code}", f"{count:,} requests") for code, count in requests["refused"].items()),
        *((f"  {code}", f"{count:,} logs rejected") for code, count in logs["rejected"].items()),
        ("ledger", _ledger_line(summary["ledger"])),
    ]
    width = max(len(name) for name, _ in rows)
    lines = "\n".join(f"{printable(name):<{width}}  {text}" for name, text in rows)
    parts: list[RenderableType] = [_latency_table(summary), Text(), Text(lines)]
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in summary["warnings"]]
    return Group(*parts)


def _latency_table(summary: JsonObject) -> RenderableType:
    kinds = (("latency, from when it was due", "latency_ms"), ("service, from when it was sent", "service_ms"))
    rows = [(title, *(f"{value:,.1f}" for value in summary[name].values())) for title, name in kinds]
    return make_table(("ms", *summary["latency_ms"]), rows, numeric=True)


def _more(requests: JsonObject) -> str:
    names = (("not_sent", "never sent"), ("unanswered", "without an answer at the end"), ("retries", "retries"))
    return "".join(f", {requests[name]:,} {text}" for name, text in names if requests[name])


def _ledger_line(ledger: JsonObject | None) -> str:
    if ledger is None:
        return "not checked"
    verdict = "balances" if ledger["is_balanced"] else "DOES NOT BALANCE"
    counts = f"{ledger['accepted']:,} accepted, {ledger['stored']:,} stored"
    named = [
        f"{ledger[name]:,} {name.replace('_', ' ')}"
        for name in ("duplicate", "dead_lettered", "in_flight")
        if ledger[name]
    ]
    return ", ".join(
        [f"{verdict} ({ledger['application']}): {counts}", *named, f"{ledger['unaccounted']:,} unaccounted"]
    )
