"""`sluice archive`: days of logs that have left the log table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.confirming import confirm

if TYPE_CHECKING:
    from sluice_cli.invoke import Functions

type JsonObject = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="The archive: days of logs that have left the log table.")

RUN_SECONDS = 60  # of one invocation
PAGE_LOGS = 1_000  # the most that one answer holds

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Application = Annotated[str | None, typer.Option("--app", help="Of one application.")]
Day = Annotated[str | None, typer.Option(help="Day of receipt (UTC), e.g. 2026-11-24.")]


Since = Annotated[str | None, typer.Option(help="Times of events from this on: RFC 3339, or -90d.")]
Until = Annotated[str | None, typer.Option(help="Up to this time.")]


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


@app.command("search", epilog="Example: sluice archive search --app checkout --since 2026-01-01 'level:error refused'")
def search(
    context: typer.Context,
    application: Annotated[str, typer.Option("--app", help="Whose logs.")],
    query: Annotated[str, typer.Argument(help="As for `sluice logs`; empty: all.", metavar="[QUERY]")] = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(help="Most logs to print.", min=1)] = 1_000,
) -> None:
    """Search archived logs where they are: every object of that time is read. One JSON object a line."""
    from sluice_cli import render

    wanted = {"application": application, "q": query, "since": since, "until": until}
    event: JsonObject = {name: value for name, value in wanted.items() if value}
    functions = connections.current(context).functions()
    left = limit
    with render.messages().status("searching") as status:
        while left > 0:
            answer = functions.archive("search", **event, limit=min(left, PAGE_LOGS))
            for log in answer["logs"]:
                render.write_json(render.output(), log)
            left -= len(answer["logs"])
            status.update(_searched(answer["progress"], limit - left))
            if answer["cursor"] is None:
                break
            event["cursor"] = answer["cursor"]
    render.write_line(render.messages(), _searched(answer["progress"], limit - left), "dim")


def _searched(progress: JsonObject, found: int) -> str:
    return f"{progress['objects_done']:,} of {progress['objects']:,} objects read, {found:,} logs found"


@app.command("rehydrated", epilog="Example: sluice archive rehydrated")
def rehydrated(context: typer.Context, json: Json = False) -> None:
    """List what came back from the archive, and until when it stays."""
    from sluice_cli import render

    found = connections.current(context).functions().archive("rehydrations")["rehydrations"]
    if json:
        render.write_json(render.output(), found)
    elif found:
        headings = ("id", "application", "logs from", "until", "status", "rows", "expires")
        render.output().print(render.make_table(headings, map(_rehydrated_row, found)))
    else:
        render.write_line(render.messages(), "Nothing has come back from the archive.")


@app.command("release", epilog="Example: sluice archive release 3")
def release(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="Id, as `sluice archive rehydrated` shows it.", metavar="ID")],
) -> None:
    """Take what came back out of the log table again, before it expires."""
    from sluice_cli import render

    connections.current(context).functions().archive("release", id=number)
    render.write_line(render.output(), f"Rehydration {number} is gone; the archive keeps its logs.")


def rehydrate(
    context: typer.Context,
    application: Annotated[str, typer.Option("--app", help="Whose logs.")],
    since: Annotated[str, typer.Option(help="Times of events from this on: RFC 3339, or -90d.")],
    until: Annotated[str, typer.Option(help="Up to this time.")] = "now",
    days: Annotated[int, typer.Option(help="How long they stay.", min=1, max=90)] = 7,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only tell what it would bring back.")] = False,
    json: Json = False,
) -> None:
    """Bring archived logs back into the log table, for a while.

    Whole objects come back, so logs beside the time may be among them. They are read like any other log, and counted
    nowhere twice. An estimate comes first.
    """
    from sluice_cli import render

    functions = connections.current(context).functions()
    event = {"application": application, "since": since, "until": until}
    found = functions.archive("estimate", **event)
    if estimate and json:
        render.write_json(render.output(), found)
        return
    render.write_line(render.messages(), _estimated(found))
    if estimate or not (found["object_count"] or found["present_count"]):
        return
    if not yes:
        confirm(f"Bring them back for {days} days")
    with render.messages().status("loading") as status:
        answer = functions.archive("rehydrate", **event, days=days)["rehydration"]
        while answer is not None and answer["status"] != "ready":
            status.update(f"{answer['loaded_rows']:,} of {answer['row_count']:,} rows")
            answer = functions.archive("rehydrate", id=answer["rehydration_id"])["rehydration"]
    if json:
        render.write_json(render.output(), answer)
    else:
        render.write_line(render.output(), _came_back(answer))


def _came_back(done: JsonObject | None) -> str:
    if done is None:
        return "All of it is there already, and stays for so long."
    return f"{done['loaded_rows']:,} logs are back until {done['expires_at']}, as rehydration {done['rehydration_id']}"


def _estimated(found: JsonObject) -> str:
    text = f"{found['row_count']:,} logs in {found['object_count']:,} objects of {found['byte_count']:,} bytes, "
    text += f"about {found['text_bytes']:,} bytes in the database; reading costs at most ${found['dollars_at_most']}"
    return text + (f"; {found['present_count']:,} objects are there already" if found["present_count"] else "")


def _rehydrated_row(found: JsonObject) -> tuple[str, ...]:
    names = ("event_from", "event_until", "status")
    texts = (str(found["rehydration_id"]), found["application"], *(found[name] for name in names))
    return *texts, f"{found['loaded_rows']:,}", found["expires_at"]


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
