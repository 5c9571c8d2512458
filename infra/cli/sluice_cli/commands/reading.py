"""What the commands that read logs share: their filters, and how a mistake in a query is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import RefusedError
from sluice_cli.times import past_moment

if TYPE_CHECKING:
    from sluice_cli.api import Api

INTERRUPTED = 130

type Command = Callable[..., None]

Query = Annotated[
    str | None,
    typer.Argument(
        metavar="[QUERY]",
        help="What to look for, such as 'level:error app:checkout \"connection refused\" -healthcheck'. "
        "One that begins with a minus goes behind --.",
    ),
]
Since = Annotated[str | None, typer.Option(help="Logs from this time on: -15m, -2h, -7d or RFC 3339.")]
Until = Annotated[str | None, typer.Option(help="Logs before this time, written likewise.")]
Level = Annotated[str | None, typer.Option(help="Levels, separated by commas.", metavar="LEVEL,...")]
Phrase = Annotated[str | None, typer.Option("--text", help="Text that the message must contain, in any case.")]
Application = Annotated[str | None, typer.Option("--app", help="One application, for keys with scope admin.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line; the default into a pipe.")]


_FILTERS = {
    "query": Query,
    "since": Since,
    "until": Until,
    "level": Level,
    "text": Phrase,
    "application": Application,
}


def filtered(*names: str, since: str | None = None) -> Callable[[Command], Command]:
    """Gives a command the options that choose logs, all or these; it gets what was given as ``filters``, parameters of
    the API. ``since``: the default. A mistake in the query is explained."""
    chosen = names or tuple(_FILTERS)

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        context, _, *own = signature.parameters.values()
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=since if name == "since" else None,
                annotation=_FILTERS[name],
            )
            for name in chosen
        ]

        @wraps(command)
        def run(context: typer.Context, **given: Any) -> None:
            filters = make_filters({name: given.pop(name) for name in chosen})
            with explained(filters.get("q")):
                command(context, filters=filters, **given)

        own = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]
        run.__signature__ = signature.replace(parameters=[context, *options, *own])  # type: ignore[attr-defined]
        return run

    return decorate


def make_filters(given: dict[str, str | None]) -> dict[str, str]:
    """Parameters of the API from what was given for the options. Raises SettingsError."""
    now = datetime.now(UTC)
    wanted = {"q" if name == "query" else name: value for name, value in given.items() if value}
    times = {name: past_moment(wanted[name], now) for name in ("since", "until") if name in wanted}
    return wanted | times


def open_api(context: typer.Context) -> Api:
    """The API, whose waits are told on standard error."""
    from sluice_cli import render

    return connections.current(context).api(
        notice=lambda message: render.write_line(render.messages(), message, "yellow")
    )


@contextmanager
def explained(query: str | None) -> Iterator[None]:
    """Shows where a query is wrong, and ends quietly when interrupted."""
    from sluice_cli import render

    try:
        yield
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except RefusedError as error:
        if error.code == "invalid_query" and query is not None:
            for line in mistake_lines(query, getattr(error, "problem", {})):
                render.write_line(render.messages(), line)
        raise


def mistake_lines(query: str, problem: dict[str, Any]) -> list[str]:
    """The query, and a caret under the mistake."""
    from sluice_cli import render

    position = problem.get("position")
    if not isinstance(position, int) or not 0 <= position <= len(query):
        return []
    shown, before = (render.printable(part).replace("\n", " ").replace("\t", " ") for part in (query, query[:position]))
    return [f"  {shown}", f"  {' ' * len(before)}^"]
