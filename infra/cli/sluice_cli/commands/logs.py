"""`sluice logs`: reads stored logs back."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from sluice_cli import connections
from sluice_cli.times import past_moment


def logs(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Logs from this time on: -15m, -2h, -7d or RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(help="Logs before this time, written likewise.")] = None,
    level: Annotated[str | None, typer.Option(help="Levels, separated by commas.", metavar="LEVEL,...")] = None,
    text: Annotated[str | None, typer.Option(help="Text that the message must contain, in any case.")] = None,
    application: Annotated[
        str | None, typer.Option("--app", help="One application, for keys with scope admin.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most logs to show.", min=1)] = 100,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line; the default into a pipe.")] = False,
) -> None:
    """Show stored logs, newest first; times are UTC."""
    from sluice_cli import render

    now = datetime.now(UTC)
    wanted = {
        "since": past_moment(since, now) if since else None,
        "until": past_moment(until, now) if until else None,
        "level": level,
        "text": text,
        "application": application,
    }
    filters = {name: value for name, value in wanted.items() if value is not None}
    console = render.output()
    as_json = json or not console.is_terminal
    api = connections.current(context).api(
        notice=lambda message: render.write_line(render.messages(), message, "yellow")
    )
    count = 0
    for log in api.logs(filters, limit):
        count += 1
        if as_json:
            render.write_json(console, log)
        else:
            console.print(render.log_lines(log), soft_wrap=True)
    if not count:
        render.write_line(render.messages(), "No logs match. New ones can be read after the next drain: sluice drain")
