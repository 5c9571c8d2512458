"""`sluice queue`: what waits, since when, and who holds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import UnavailableError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sluice_cli.invoke import Functions

type JsonObject = dict[str, Any]


def queue(
    context: typer.Context,
    pending: Annotated[int, typer.Option(help="Most pending entries to show per shard.", min=0, max=1000)] = 20,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5, max=3600)] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables, one line per look.")] = False,
) -> None:
    """Show what waits in the queue: per shard and application, and the entries that a drain holds, oldest first.

    Works while the database is down (then without the applications' names). Logs are counted in the 1,000 oldest queue
    entries; a "+" behind a count means that the queue is longer. Bytes count against the backlog limit.
    """
    functions = connections.current(context).functions()
    if not watch:
        _print(functions.queue(max_pending=pending), as_json=json)
        return
    try:
        _watch(functions, pending, every, as_json=json)
    except KeyboardInterrupt:
        return


def _print(seen: JsonObject, *, as_json: bool) -> None:
    from sluice_cli import queue_view, render

    if as_json:
        render.write_json(render.output(), seen)
        render.output().file.flush()
    else:
        render.output().print(queue_view.view(seen))


def _watch(functions: Functions, pending: int, every: float, *, as_json: bool) -> None:
    """Looks for ever. An outage is shown and ends nothing: it is what one watches for."""
    from rich.live import Live

    from sluice_cli import render

    console = render.output()
    if as_json or not console.is_terminal:
        while True:
            _print(functions.queue(max_pending=pending), as_json=as_json)
            time.sleep(every)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(_look(functions, pending), refresh=True)
            time.sleep(every)


def _look(functions: Functions, pending: int) -> RenderableType:
    from rich.text import Text

    from sluice_cli import queue_view

    try:
        return queue_view.view(functions.queue(max_pending=pending))
    except UnavailableError as error:
        return Text(error.line(), style="red")
