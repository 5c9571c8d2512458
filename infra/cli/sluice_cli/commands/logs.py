"""`sluice logs` and `sluice show`: read stored logs back."""

from enum import StrEnum
from typing import Annotated

import typer

from sluice_cli.commands.reading import AsJson, explained, filtered, open_api


class Format(StrEnum):
    """How logs are written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@filtered()
def logs(
    context: typer.Context,
    filters: dict[str, str],
    limit: Annotated[int, typer.Option(help="Most logs to show.", min=1)] = 100,
    all_logs: Annotated[bool, typer.Option("--all", help="All of them, page by page.")] = False,
    fields: Annotated[
        str | None, typer.Option(help="Fields to give, separated by commas; for json and csv.", metavar="FIELD,...")
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="text on a terminal, json (one object per line) in a pipe; or csv."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show stored logs, newest first; times are UTC."""
    from sluice_cli import render

    console = render.output()
    form = form or (Format.JSON if json or fields or not console.is_terminal else Format.TEXT)
    chosen = {"fields": fields} if fields else {}
    count = 0
    api = open_api(context)
    most = None if all_logs else limit
    if form is Format.CSV:
        for page in api.csv_pages(filters | chosen, most):
            console.file.write(page)
            count += 1
            if all_logs:
                render.write_line(render.messages(), f"{count} pages", "dim")
        return
    for log in api.logs(filters | chosen, most):
        count += 1
        if form is Format.JSON:
            render.write_json(console, log)
        else:
            console.print(render.log_lines(log), soft_wrap=True)
        if all_logs and count % 10_000 == 0:
            render.write_line(render.messages(), f"{count:,} logs", "dim")
    if not count:
        render.write_line(render.messages(), "No logs match; new ones can be read a few seconds after they were sent")


def show(
    context: typer.Context,
    log_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a log, as --json shows it.")],
    around: Annotated[int, typer.Option("--context", help="How many logs before and after it.", min=0, max=200)] = 5,
    json: AsJson = False,
) -> None:
    """Show one log with all it holds, among those around it."""
    from sluice_cli import render

    console = render.output()
    with explained(None):
        found = open_api(context).log(log_id, around)
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    for log in found["before"]:
        console.print(render.log_lines(log), soft_wrap=True)
    console.print(render.whole_log(found["log"]), soft_wrap=True)
    for log in found["after"]:
        console.print(render.log_lines(log), soft_wrap=True)
