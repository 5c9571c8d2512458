"""`sluice anomalies`: what was unusual, what people say of it, and what would have been found."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from sluice_cli.commands.reading import AsJson, filtered, open_api

app = typer.Typer(no_args_is_help=True, help="What was unusual.")

AnomalyId = Annotated[int, typer.Argument(help="Of the anomaly, as `sluice anomalies list` shows it.", min=1)]


class Status(StrEnum):
    """Whether it is still going on."""

    ALL = "all"
    OPEN = "open"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What somebody says of an anomaly."""

    USEFUL = "useful"
    NOISE = "noise"
    NONE = "none"


@app.command("list", epilog="Example: sluice anomalies list --app checkout --since -2d --status open")
@filtered("since", "until", "application", since="-7d")
def list_(
    context: typer.Context,
    filters: dict[str, str],
    kind: Annotated[str, typer.Option(help="Kinds, separated by commas, such as session or spike,silence.")] = "",
    status: Annotated[Status, typer.Option(help="Open or closed ones alone.")] = Status.ALL,
    muted: Annotated[bool, typer.Option("--muted", help="Also those like what was called noise.")] = False,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 50,
    json: AsJson = False,
) -> None:
    """List what was unusual, the latest first."""
    asked = filters | ({"kind": kind} if kind else {})
    asked |= {"status": status.value, "muted": "yes" if muted else "no", "limit": str(limit)}
    _print(open_api(context).anomalies(asked)["anomalies"], json=json)


@app.command("show", epilog="Example: sluice anomalies show 17")
def show(context: typer.Context, anomaly_id: AnomalyId, json: AsJson = False) -> None:
    """Show one anomaly: what came, what was expected, and the search that shows its logs."""
    from sluice_cli import render

    found: dict[str, Any] = open_api(context).anomaly(anomaly_id)
    console = render.output()
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    anomaly = found["anomaly"]
    console.print(render.anomaly_table([anomaly]))
    for template in anomaly["templates"]:
        render.write_line(console, f"template {template['id']}: {template['text']}")
    render.write_line(
        console, f"sluice logs --since {anomaly['onset']} --until {anomaly['last_seen']} '{anomaly['query']}'"
    )


@app.command("feedback", epilog="Example: sluice anomalies feedback 17 noise")
def feedback(
    context: typer.Context,
    anomaly_id: AnomalyId,
    verdict: Annotated[Verdict, typer.Argument(help="none takes it back.")],
) -> None:
    """Say whether an anomaly was useful. After noise, ones like it are muted for a month."""
    from sluice_cli import render

    said = None if verdict is Verdict.NONE else verdict.value
    render.write_json(render.output(), open_api(context).judge_anomaly(anomaly_id, said))


@app.command("backtest", epilog="Example: sluice anomalies backtest --app checkout --since -7d")
@filtered("since", "until", "application", since="-7d")
def backtest(context: typer.Context, filters: dict[str, str], json: AsJson = False) -> None:
    """Look for what would have been found in a time, at most four weeks, and learnt from the four before."""
    from sluice_cli import render

    api = open_api(context)
    found = api.backtest_anomalies(dict(filters))
    while not found["is_complete"]:
        render.write_line(render.messages(), f"{found['progress']:.0%} done", "dim")
        found = api.backtest_anomalies({"id": found["id"]})
    _print(found["anomalies"], json=json)


def _print(anomalies: list[dict[str, Any]], *, json: bool) -> None:
    from sluice_cli import render

    console = render.output()
    if json or not console.is_terminal:
        for anomaly in anomalies:
            render.write_json(console, anomaly)
    elif anomalies:
        console.print(render.anomaly_table(anomalies))
    else:
        render.write_line(render.messages(), "Nothing was unusual.")
