"""`sluice apps`: who sends logs."""

from typing import Annotated

import typer

from sluice_cli import connections

app = typer.Typer(no_args_is_help=True, help="Applications: who sends logs.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("create", epilog="Example: sluice apps create checkout")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the application.", metavar="NAME")],
    json: Json = False,
) -> None:
    """Create an application."""
    from sluice_cli import render

    application = connections.current(context).functions().admin("create_application", name=name)["application"]
    if json:
        render.write_json(render.output(), application)
        return
    render.write_line(render.output(), f"Application {application['name']} created.")
    render.write_line(render.messages(), f"Next: sluice keys create {application['name']}", style="dim")


@app.command("list", epilog="Example: sluice apps list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the applications and how many keys each has."""
    from sluice_cli import render

    applications = connections.current(context).functions().admin("list_applications")["applications"]
    if json:
        render.write_json(render.output(), applications)
    elif applications:
        render.output().print(render.application_table(applications))
    else:
        render.write_line(render.messages(), "No applications yet. Create one with: sluice apps create NAME")
