"""`sluice drain` and `sluice status`: what an operator does and looks at."""

from typing import Annotated

import typer

from sluice_cli import connections

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


def drain(
    context: typer.Context,
    force: Annotated[
        bool, typer.Option("--force", help="Dead-letter what fails, even if most logs of several applications do.")
    ] = False,
    json: Json = False,
) -> None:
    """Move queued logs into the database now and show what was done.

    When most logs of two or more applications cannot be stored, the fault is probably Sluice's own (a bad deploy): the
    circuit breaker opens, and these logs stay queued (error `circuit_open`) until the fault is repaired. If they really
    are unstorable, --force moves them to the dead letters. Ends with exit code 1 if a chunk failed.
    """
    from sluice_cli import render

    done = connections.current(context).functions().drain(is_forced=force)
    if json:
        render.write_json(render.output(), done)
    else:
        _show_drain(done)
    if done["chunks_failed"]:
        hint = "They stay queued and are tried again by later drains; the functions' logs say why."
        render.write_line(render.messages(), f"{done['chunks_failed']} chunks failed. {hint}", "red")
        raise typer.Exit(1)


def _show_drain(done: dict[str, int]) -> None:
    from sluice_cli import render

    rows = [(name.replace("_", " "), f"{count:,}", _MEANINGS.get(name, "")) for name, count in done.items()]
    table = render.make_table(("drain", "count", "meaning"), rows)
    table.columns[1].justify = "right"
    render.output().print(table)


def status(context: typer.Context) -> None:
    """Ask the API whether it can take and return logs.

    Ends with exit code 4 if not.
    """
    from sluice_cli import render

    chosen = connections.current(context)
    api = chosen.api()
    health = api.health()
    console = render.output()
    render.write_line(console, f"API     {api.url}")
    render.write_line(console, f"stage   {chosen.environment.stage}")
    render.write_line(console, f"key     {'set' if chosen.environment.key else 'none: set SLUICE_API_KEY'}")
    render.write_line(console, f"health  {health.get('status', 'unknown')}")
