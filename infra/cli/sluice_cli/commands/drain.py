"""`sluice drain`: moves queued logs into the database by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated

import typer

from sluice_cli import connections
from sluice_cli.draining import Drainage, Outcome
from sluice_cli.errors import CliError

if TYPE_CHECKING:
    from rich.status import Status

    from sluice_cli.invoke import Functions

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

_MEANINGS = {
    "claimed_entries": "queue entries taken",
    "reclaimed_entries": "of which an earlier drain had left",
    "vanished_entries": "queue entries deleted before they were stored: a loss",
    "chunks": "calls of process_chunk",
    "chunks_failed": "of which failed",
    "backlog_entries": "queue entries still waiting",
    "stored": "logs now in the database",
    "duplicate": "logs sent twice by a client, stored once",
    "redelivered": "logs handed out again that were stored already",
    "dead_lettered": "logs that cannot be stored, kept as dead letters",
    "acknowledged": "queue entries done with",
    "duration_ms": "milliseconds it took",
}


_PAUSE_SECONDS = 1.0  # after a pass that moved nothing
_LOOK_SECONDS = 1.0
_INTERRUPTED = 130  # as a shell reports Ctrl-C


def drain(
    context: typer.Context,
    until_empty: Annotated[
        bool, typer.Option("--until-empty/--once", help="Repeat until the queue is empty or nothing moves any more.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Dead-letter what fails, even if most logs of several applications do.")
    ] = False,
    json: Json = False,
) -> None:
    """Move queued logs into the database now and show what was done.

    When most logs of two or more applications cannot be stored, the fault is probably Sluice's own (a bad deploy): the
    circuit breaker opens, and these logs stay queued (error `circuit_open`) until the fault is repaired. If they really
    are unstorable, --force moves them to the dead letters.

    --once ends with exit code 1 if a chunk failed. --until-empty ends with 0 when the queue is empty, with 1 when logs
    are left and nothing moves any more, and with 130 after Ctrl-C, which loses nothing: the drain that is running goes
    on by itself.
    """
    from sluice_cli import render

    functions = connections.current(context).functions()
    if until_empty:
        _drain_until_empty(functions, is_forced=force, as_json=json)
        return
    done = functions.drain(is_forced=force)
    if json:
        render.write_json(render.output(), done)
    else:
        _show_drain(done)
    if done["chunks_failed"]:
        hint = "They stay queued and are tried again by later drains; the functions' logs say why."
        render.write_line(render.messages(), f"{done['chunks_failed']} chunks failed. {hint}", "red")
        raise typer.Exit(1)


def _drain_until_empty(functions: Functions, *, is_forced: bool, as_json: bool) -> None:
    from sluice_cli import render

    drainage = Drainage(time.monotonic())
    outcome = None
    try:
        with _progress(functions, drainage) as told:
            while outcome is None:
                done = functions.drain(is_forced=is_forced)
                outcome = drainage.add(done, time.monotonic())
                told.set()
                if outcome is None and not done["acknowledged"]:
                    time.sleep(_PAUSE_SECONDS)
    except KeyboardInterrupt:
        outcome = Outcome.interrupted
    except CliError as error:
        error.hint = f"{error.hint} Until then: {_summary(drainage)}.".strip()
        raise
    if as_json:
        render.write_json(render.output(), {"outcome": outcome, "passes": drainage.passes, **drainage.counts})
    elif drainage.passes:
        _show_drain(drainage.counts)
    render.write_line(render.messages(), f"{_ENDS[outcome]}: {_summary(drainage)}.", _STYLES[outcome])
    if outcome is not Outcome.empty:
        raise typer.Exit(1 if outcome is Outcome.stuck else _INTERRUPTED)


_ENDS = {
    Outcome.empty: "The queue is empty",
    Outcome.stuck: "Nothing moves any more; `sluice queue` shows what is left, the functions' logs say why",
    Outcome.interrupted: "Interrupted; a drain that was running goes on by itself",
}
_STYLES = {Outcome.empty: "green", Outcome.stuck: "red", Outcome.interrupted: "yellow"}


def _summary(drainage: Drainage) -> str:
    counts, passes = drainage.counts, drainage.passes
    text = f"{counts.get('stored', 0):,} logs stored in {passes} {'pass' if passes == 1 else 'passes'}"
    return f"{text}, {counts['backlog_entries']:,} queue entries left" if passes else text


@contextmanager
def _progress(functions: Functions, drainage: Drainage) -> Iterator[Event]:
    """Shows backlog and counts while a pass runs, which may take half a minute; nothing where no terminal is.

    The event is to be set after each pass.
    """
    from sluice_cli import render

    console, told, is_over = render.messages(), Event(), Event()
    if not console.is_terminal:
        yield told
        return
    with console.status("draining") as status:
        watcher = Thread(target=_watch, args=(functions, drainage, status, told, is_over), daemon=True)
        watcher.start()
        try:
            yield told
        finally:
            is_over.set()


def _watch(functions: Functions, drainage: Drainage, status: Status, told: Event, is_over: Event) -> None:
    while not is_over.is_set():
        with suppress(CliError):  # the pass itself reports an outage
            shards = functions.queue(max_entries=0, max_pending=0)["shards"]
            waiting = sum(shard["entry_count"] for shard in shards)
            text = f"pass {drainage.passes + 1}: {waiting:,} queue entries waiting"
            status.update(f"{text}, {drainage.counts.get('stored', 0):,} logs stored by the passes before")
        told.wait(_LOOK_SECONDS)
        told.clear()


def _show_drain(done: dict[str, int]) -> None:
    from sluice_cli import render

    rows = [(name.replace("_", " "), f"{count:,}", _MEANINGS.get(name, "")) for name, count in done.items()]
    table = render.make_table(("drain", "count", "meaning"), rows)
    table.columns[1].justify = "right"
    render.output().print(table)
