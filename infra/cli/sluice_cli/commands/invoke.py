"""`sluice invoke`: calls any function by hand."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import CliError, RefusedError, SettingsError

if TYPE_CHECKING:
    from sluice_cli.invoke import Functions, Invocation


def invoke(
    context: typer.Context,
    function: Annotated[
        str, typer.Argument(help="Its short name: ingest, drain, process-chunk, query, admin.", metavar="FUNCTION")
    ],
    event: Annotated[
        str, typer.Option(help="The event: JSON, @FILE, or - for standard input.", metavar="JSON|@FILE|-")
    ] = "{}",
    is_async: Annotated[bool, typer.Option("--async", help="Hand it over and do not wait for the result.")] = False,
    tail_logs: Annotated[bool, typer.Option("--tail-logs", help="Show the end of its log (4 KB) on stderr.")] = False,
) -> None:
    """Invoke a function of the stage and print the JSON that it returns.

    What the function raises is shown with its traceback, and the exit code is 1.
    """
    from sluice_cli import render

    if is_async and tail_logs:
        raise SettingsError("--tail-logs goes not with --async", "Nobody waits for the log: look at `make logs`.")
    payload = _read_event(event)
    functions = connections.current(context).functions()
    verb = function.replace("_", "-")
    try:
        if is_async:
            functions.start(verb, payload)
            render.write_line(render.messages(), f"{verb} has the event; what becomes of it is in its log.")
            return
        done = functions.invoke(verb, payload, with_log=tail_logs)
    except RefusedError as error:
        if error.code == "ResourceNotFoundException":
            raise _unknown(functions, verb, error) from error
        raise
    if tail_logs:
        log = done.log.rstrip() or "(nothing logged, or this endpoint gives no log with the answer)"
        render.write_line(render.messages(), log, "dim")
    _show(done)


def _show(done: Invocation) -> None:
    from sluice_cli import render

    if done.failure is None:
        console = render.output()
        is_terminal = console.is_terminal
        text = json_format.dumps(done.result, ensure_ascii=is_terminal, indent=2 if is_terminal else None)
        console.file.write(text + "\n")
        return
    messages = render.messages()
    trace = done.failure.get("stackTrace") or []
    lines = trace if isinstance(trace, list) else [trace]
    if lines:
        render.write_line(messages, "Traceback (most recent call last):")
        render.write_line(messages, "\n".join(str(line).rstrip() for line in lines), "dim")
    kind = str(done.failure.get("errorType") or "Error")
    render.write_line(messages, f"{kind}: {done.failure.get('errorMessage')}", "red")
    raise typer.Exit(1)


def _read_event(text: str) -> Any:
    """The event as JSON. Raises SettingsError."""
    source = "--event"
    try:
        if text == "-":
            source, text = "Standard input", sys.stdin.read()
        elif text.startswith("@"):
            source = text[1:]
            text = Path(source).read_text(encoding="utf-8")
        return json_format.loads(text)
    except OSError as error:
        raise SettingsError(f"Cannot read {source}: {error.strerror}", "Give a file of JSON as @FILE.") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{source} is no JSON: {error}", """Example: --event '{"action": "queue"}'""") from error


def _unknown(functions: Functions, verb: str, error: RefusedError) -> RefusedError:
    """The error with the names that there are; the error itself for a stage that has none."""
    try:
        names = functions.names()
    except CliError:  # listing takes a right of its own
        return error
    return RefusedError(f"There is no function {verb!r}", f"This stage has: {', '.join(names)}.") if names else error
