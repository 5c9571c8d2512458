"""`sluice dlq`: dead letters, the logs that could not be stored."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import SettingsError
from sluice_cli.times import past_moment

if TYPE_CHECKING:
    from sluice_cli.invoke import Functions

type JsonObject = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="Dead letters: accepted logs that could not be stored, and why.")

PAGE_LETTERS = 500  # the most that one answer holds

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DeadLetter = Annotated[int, typer.Argument(help="Id, as `sluice dlq list` shows it.", metavar="ID", min=1)]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Id of a dead letter, repeatable.", min=1)]
Application = Annotated[str | None, typer.Option("--app", help="Those of one application.")]
Reason = Annotated[str | None, typer.Option(help="Those with this reason, e.g. sqlstate_22p05, crashed.")]
Since = Annotated[str | None, typer.Option(help="Dead-lettered from this time on: -15m, -2h, -7d or RFC 3339.")]
Until = Annotated[str | None, typer.Option(help="Dead-lettered before this time, written likewise.")]
All = Annotated[bool, typer.Option("--all", help="All that are open; instead of any other condition.")]


class Status(StrEnum):
    """What became of a dead letter."""

    open = "open"
    redriven = "redriven"
    dropped = "dropped"


@app.command("list", epilog="Example: sluice dlq list --app checkout --since -1h")
def list_(
    context: typer.Context,
    application: Application = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    status: Annotated[Status, typer.Option(help="Which.")] = Status.open,
    limit: Annotated[int, typer.Option(help="Most dead letters to show.", min=1)] = 100,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line instead of a table.")] = False,
) -> None:
    """List dead letters, newest first; times are UTC. All conditions hold together."""
    from sluice_cli import render

    conditions = {**_conditions(application, reason, since, until), "status": str(status)}
    letters = _pages(connections.current(context).functions(), conditions, limit)
    if json:
        for letter in letters:
            render.write_json(render.output(), letter)
    elif found := list(letters):
        render.output().print(render.dead_letter_table(found))
        if len(found) == limit:
            render.write_line(render.messages(), "There may be more: raise --limit, or narrow the conditions.", "dim")
    else:
        render.write_line(render.messages(), f"No dead letter is {status} and matches.")


def _pages(functions: Functions, conditions: JsonObject, limit: int) -> Iterator[JsonObject]:
    """Matching dead letters, fetched page by page; at most `limit`."""
    before: int | None = None
    while limit > 0:
        place = {} if before is None else {"before": before}
        page = functions.admin("list_dead_letters", **conditions, **place, limit=min(limit, PAGE_LETTERS))
        yield from page["dead_letters"]
        limit -= len(page["dead_letters"])
        before = page["next_before"]
        if before is None:
            return


@app.command("show", epilog="Example: sluice dlq show 4711")
def show(context: typer.Context, dead_letter: DeadLetter, json: Json = False) -> None:
    """Show one dead letter with what was queued."""
    from sluice_cli import render

    letter = connections.current(context).functions().admin("show_dead_letter", id=dead_letter)["dead_letter"]
    if json:
        render.write_json(render.output(), letter)
        return
    width = max(map(len, letter))
    for name, value in letter.items():
        render.write_line(render.output(), f"{name.replace('_', ' '):<{width}}  {'' if value is None else value}")


@app.command("redrive", epilog="Example: sluice dlq redrive --reason sqlstate_22p05 --since -1d")
def redrive(
    context: typer.Context,
    ids: Ids = None,
    application: Application = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    json: Json = False,
) -> None:
    """Repair open dead letters and store them. All conditions hold together.

    Each is stored exactly once, however often this is called. Ends with exit code 1 if any still cannot be stored.
    """
    from sluice_cli import render

    selection = _selection(ids, _conditions(application, reason, since, until), everything)
    done = connections.current(context).functions().admin("redrive_dead_letters", **selection)
    if json:
        render.write_json(render.output(), done)
    else:
        render.write_line(render.output(), f"{done['redriven']} redriven, {done['failed']} failed")
    if done["failed"]:
        hint = "They stay open: `sluice dlq list` shows them, `sluice dlq show ID` what was queued."
        render.write_line(render.messages(), f"{done['failed']} still cannot be stored. {hint}", "red")
        raise typer.Exit(1)


@app.command("drop", epilog="Example: sluice dlq drop --id 4711 --id 4712")
def drop(
    context: typer.Context,
    ids: Ids = None,
    application: Application = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
    json: Json = False,
) -> None:
    """Close open dead letters without storing them. All conditions hold together.

    They can never be redriven after that; `sluice dlq list --status dropped` still shows them.
    """
    from sluice_cli import render

    selection = _selection(ids, _conditions(application, reason, since, until), everything)
    if not yes:
        _confirm(selection)
    done = connections.current(context).functions().admin("drop_dead_letters", **selection)
    if json:
        render.write_json(render.output(), done)
    else:
        render.write_line(render.output(), f"{done['dropped']} dropped")


def _conditions(application: str | None, reason: str | None, since: str | None, until: str | None) -> JsonObject:
    """The conditions that were given, as functions/admin takes them. Raises SettingsError."""
    now = datetime.now(UTC)
    wanted = {
        "application": application,
        "reason": reason,
        "since": past_moment(since, now) if since else None,
        "until": past_moment(until, now) if until else None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _selection(ids: list[int] | None, conditions: JsonObject, everything: bool) -> JsonObject:
    """What to act on. Raises SettingsError unless either conditions were given or all was asked for."""
    selection = {**conditions, **({"ids": ids} if ids else {})}
    if selection and everything:
        raise SettingsError("--all goes with no other condition", "Leave out either.")
    if not selection and not everything:
        raise SettingsError("No dead letters named", "Give --id, --app, --reason, --since or --until; or --all.")
    return selection or {"all": True}


def _confirm(selection: JsonObject) -> None:
    """Asks, and ends the command on anything but yes. Raises SettingsError where nobody can answer."""
    if not _is_terminal():
        raise SettingsError("Nobody can confirm: standard input is no terminal", "Give --yes if you are sure.")
    named = ", ".join(f"{name} {value}" for name, value in selection.items() if name != "all")
    question = f"Drop the open dead letters with {named}" if named else "Drop all open dead letters"
    typer.confirm(f"{question}? Their logs will never be stored", abort=True, err=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty()
