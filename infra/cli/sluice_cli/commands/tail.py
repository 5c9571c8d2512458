"""`sluice tail`: the last logs, and with -f those that are stored from now on."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli.commands.reading import AsJson, filtered, open_api
from sluice_cli.errors import RefusedError

if TYPE_CHECKING:
    from sluice_cli.api import Api

_REMEMBERED = 2_000  # ids that the last logs and the first answers may both have


@filtered("query", "level", "text", "application")
def tail(
    context: typer.Context,
    filters: dict[str, str],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is stored from now on.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many of the last logs.", min=0, max=1_000)] = 10,
    json: AsJson = False,
) -> None:
    """Show the last logs, oldest first. With -f, logs go on to come as they are stored, each once, until Ctrl-C."""
    from sluice_cli import render

    console, messages = render.output(), render.messages()
    as_json = json or not console.is_terminal

    def write(log: dict[str, Any]) -> None:
        if as_json:
            render.write_json(console, log)
        else:
            console.print(render.log_lines(log), soft_wrap=True)
        console.file.flush()

    api = open_api(context)
    start = api.tail(filters)["cursor"] if follow else None
    last = list(api.logs(filters, lines))[::-1] if lines else []
    for log in last:
        write(log)
    if start is None:
        return
    shown = deque((log["id"] for log in last), maxlen=_REMEMBERED)
    for log in _follow(api, filters, start, lambda note: render.write_line(messages, note, "yellow")):
        if log["id"] not in shown:
            write(log)


def _follow(
    api: "Api", filters: dict[str, str], cursor: str, notice: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    was_behind = False
    while True:
        try:
            answer = api.tail(filters, cursor)
        except RefusedError as error:
            if error.code != "cursor_lost":
                raise
            notice("The database was restored or failed over: some logs may be missing here, see sluice logs")
            cursor = api.tail(filters)["cursor"]
            continue
        yield from answer["logs"]
        is_behind = answer["is_behind"] and not answer["logs"]
        if is_behind and not was_behind:
            notice("Newer logs are stored, but wait for an older transaction in the database")
        was_behind = is_behind
        cursor = answer["cursor"]
        time.sleep(answer.get("pause_seconds", 0))
