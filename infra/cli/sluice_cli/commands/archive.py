"""`sluice archive`: days of logs that have left the log table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections

if TYPE_CHECKING:
    from sluice_cli.invoke import Functions

type JsonObject = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="The archive: days of logs that have left the log table.")

RUN_SECONDS = 60  # of one invocation

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Application = Annotated[str | None, typer.Option("--app", help="Of one application.")]
Day = Annotated[str | None, typer.Option(help="Day of receipt (UTC), e.g. 2026-11-24.")]


@app.command("list", epilog="Example: sluice archive list --app checkout --since 2026-10-01")
def list_(
    context: typer.Context, application: Application = None, since: Day = None, until: Day = None, json: Json = False
) -> None:
    """List the days of receipt that are archived or on their way, the latest first."""
    from sluice_cli import render

    wanted = {"application": application, "since": since, "until": until}
    named = {name: value for name, value in wanted.items() if value is not None}
    days = connections.current(context).functions().archive("list", **named)["days"]
    if json:
        render.write_json(render.output(), days)
    elif days:
        render.output().print(render.make_table(_HEADINGS, map(_row, days)))
    else:
        render.write_line(render.messages(), "No day has left the log table.")


@app.command("run", epilog="Example: sluice archive run")
def run(context: typer.Context, json: Json = False) -> None:
    """Archive and delete what is due now, as the schedule does every 15 minutes.

    Ends with exit code 1 if days are left.
    """
    from sluice_cli import render

    functions = connections.current(context).functions()
    total: JsonObject = {}
    with render.messages().status("archiving") as status:
        while True:
            done = functions.archive("run", seconds=RUN_SECONDS)
            total = done | {name: total.get(name, 0) + done[name] for name in _COUNTED}
            status.update(f"{total['objects_written']:,} objects written, {done['days_left']} days left")
            if done["is_busy"] or not done["days_left"] or not any(done[name] for name in _COUNTED):
                break
    if json:
        render.write_json(render.output(), total)
    elif total["is_busy"]:
        render.write_line(render.output(), "Another run is at work: try again when it is over.")
    else:
        render.write_line(
            render.output(),
            f"{total['days_dropped']} days left the log table: {total['rows_archived']:,} rows archived, "
            f"{total['rows_deleted']:,} deleted; {total['objects_deleted']:,} objects deleted",
        )
    if total["is_busy"] or total["days_left"]:
        raise typer.Exit(1)


@app.command("verify", epilog="Example: sluice archive verify")
def verify(context: typer.Context, json: Json = False) -> None:
    """Read every object and compare checksums and counts with the manifest, and the manifest with the ledger.

    Ends with exit code 1 if anything differs.
    """
    from sluice_cli import render

    found: JsonObject = {"objects": 0, "rows": 0, "problems": []}
    with render.messages().status("reading") as status:
        for answer in _all(connections.current(context).functions()):
            found = {name: found[name] + answer[name] for name in found}
            status.update(f"{found['objects']:,} objects read, {found['rows']:,} rows")
    if json:
        render.write_json(render.output(), found)
    else:
        for problem in found["problems"]:
            render.write_line(render.output(), f"{problem['what']}: {problem['detail']}", "red")
        verdict = f"{len(found['problems'])} problems" if found["problems"] else "all as it should be"
        render.write_line(render.output(), f"{found['objects']:,} objects, {found['rows']:,} rows: {verdict}")
    if found["problems"]:
        raise typer.Exit(1)


_COUNTED = (
    *("days_dropped", "rows_archived", "rows_deleted"),
    *("objects_written", "bytes_written", "objects_deleted"),
)
_HEADINGS = ("day", "class", "status", "rows", "archived", "objects", "bytes", "of text")


def _row(day: JsonObject) -> tuple[str, ...]:
    status = "on its way" if day["status"] == "open" else "archived" if day["object_count"] else "deleted"
    counts = ("row_count", "archived_count", "object_count", "byte_count", "text_bytes")
    return day["day"], day["retention_class"], status, *(f"{day[name]:,}" for name in counts)


def _all(functions: Functions) -> Any:
    """Answers of verify until the last."""
    after: int | None = 0
    while after is not None:
        answer = functions.archive("verify", after=after)
        yield answer
        after = answer["next"]
