"""`sluice own-logs`: stores what Sluice's functions say of themselves in Sluice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.times import past_moment

_POLL_SECONDS = 15
_OVERLAP = timedelta(minutes=2)  # a function's lines may come that much later


def own_logs(
    context: typer.Context,
    application: Annotated[str, typer.Argument(help="Whose logs they become: that of the key.")],
    since: Annotated[str, typer.Option(help="Lines from this time on: -15m, -2h or RFC 3339.")] = "-10m",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is written from now on.")] = False,
) -> None:
    """Store warnings and errors of the stage's functions as logs of an application, each once.

    However often the same time is read: a line is stored once, so this may run by a schedule. Needs an API key of the
    application with the scope ingest, and AWS rights to invoke admin and to read the functions' log groups.
    """
    from sluice_cli import render
    from sluice_cli.aws import make_client, translated
    from sluice_cli.own_logs import own_logs as chosen

    current = connections.current(context)
    shown = current.functions().admin("show_application", application=application)["application"]
    api = current.api()
    client = make_client(current.environment, "logs")
    begin = datetime.fromisoformat(past_moment(since, datetime.now(UTC)))
    done: set[str] = set()
    while True:
        now = datetime.now(UTC)
        with translated(current.environment):
            lines = list(_lines(client, current.environment.stack_name, begin))
        found = dict(chosen(lines, shown["application_id"]))
        for identity in found.keys() - done:
            api.ingest([found[identity]], f"own-{identity}")
        render.write_line(render.messages(), f"{len(found.keys() - done)} lines handed in")
        if not follow:
            return
        done, begin = set(found), now - _OVERLAP
        time.sleep(_POLL_SECONDS)


def _lines(client: Any, stack: str, begin: datetime) -> Iterator[Any]:
    from sluice_cli.own_logs import LEVELS, Line

    prefix = f"/aws/lambda/{stack}-"
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in (item["logGroupName"] for item in page["logGroups"]):
            for level in LEVELS:
                asked = {"logGroupName": group, "startTime": int(begin.timestamp() * 1000), "filterPattern": level}
                for events in client.get_paginator("filter_log_events").paginate(**asked):
                    for event in events["events"]:
                        stream, text = event["logStreamName"], event["message"].rstrip()
                        yield Line(event["timestamp"], group.removeprefix(prefix), stream, text)
