"""`sluice diff`: what a deployment changed in what is logged."""

from typing import Annotated

import typer

from sluice_cli.commands.reading import AsJson, filtered, open_api


@filtered("since", "until", "application")
def diff(
    context: typer.Context,
    filters: dict[str, str],
    version: Annotated[str | None, typer.Argument(help="The version, as logs name it; by default the latest.")] = None,
    against: Annotated[
        str | None, typer.Option(help="Another version. By default all that came before, for a week.")
    ] = None,
    service: Annotated[str | None, typer.Option(help="One service; by default all that have this version.")] = None,
    json: AsJson = False,
) -> None:
    """Show which messages exist only since VERSION, are gone, or come more or less often with it."""
    from sluice_cli import render

    named = {"version": version, "against": against, "service": service}
    found = open_api(context).diff(filters | {name: value for name, value in named.items() if value is not None})
    console = render.output()
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    if found["version"] is None:
        render.write_line(render.messages(), f"no log of {found['application']} has a version", "yellow")
        return
    for line in render.span_lines(found):
        render.write_line(render.messages(), line)
    console.print(render.change_table(found))
