"""`sluice apps`: who sends logs."""

from typing import Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import SettingsError

app = typer.Typer(no_args_is_help=True, help="Applications: who sends logs, and how much.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Name = Annotated[str, typer.Argument(help="Name of the application.", metavar="NAME")]


@app.command("create", epilog="Example: sluice apps create checkout")
def create(
    context: typer.Context,
    name: Name,
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
    """List the applications, how many live keys each has, and what each may send (- is the deployment's default)."""
    from sluice_cli import render

    applications = connections.current(context).functions().admin("list_applications")["applications"]
    if json:
        render.write_json(render.output(), applications)
    elif applications:
        render.output().print(render.application_table(applications))
    else:
        render.write_line(render.messages(), "No applications yet. Create one with: sluice apps create NAME")


@app.command("show", epilog="Example: sluice apps show checkout")
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show an application with its limits and its keys."""
    from sluice_cli import render

    functions = connections.current(context).functions()
    application = functions.admin("show_application", application=name)["application"]
    keys = functions.admin("list_keys", application=name)["keys"]
    if json:
        render.write_json(render.output(), {**application, "keys": keys})
        return
    render.output().print(render.application_table([application]))
    if keys:
        render.write_line(render.output(), "")
        render.output().print(render.key_table(keys))


@app.command("rename", epilog="Example: sluice apps rename checkout checkout-eu")
def rename(
    context: typer.Context,
    name: Name,
    new_name: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW_NAME")],
    json: Json = False,
) -> None:
    """Give an application another name. Keys, logs and limits stay its own."""
    _change(context, name, f"Application {name} is now called {new_name}.", json, name=new_name)


@app.command("disable", epilog="Example: sluice apps disable checkout")
def disable(context: typer.Context, name: Name, json: Json = False) -> None:
    """Refuse all keys of an application, within 15 seconds. Its logs stay, for keys with the scope admin to read."""
    done = f"Application {name} is disabled; within 15 seconds its keys are refused everywhere."
    _change(context, name, done, json, status="disabled")


@app.command("enable", epilog="Example: sluice apps enable checkout")
def enable(context: typer.Context, name: Name, json: Json = False) -> None:
    """Take the keys of a disabled application again, those that are neither revoked nor expired."""
    done = f"Application {name} is active; within 15 seconds its keys work everywhere."
    _change(context, name, done, json, status="active")


@app.command("limits", epilog="Example: sluice apps limits checkout --requests-per-second 50 --bytes-per-day default")
def limits(
    context: typer.Context,
    name: Name,
    requests_per_second: Annotated[str | None, typer.Option(help="A whole number, or default.", metavar="N")] = None,
    bytes_per_second: Annotated[
        str | None, typer.Option(help="Of inflated bodies. A whole number, or default.", metavar="N")
    ] = None,
    bytes_per_day: Annotated[
        str | None, typer.Option(help="Likewise, by UTC days. A whole number, or default.", metavar="N")
    ] = None,
    json: Json = False,
) -> None:
    """Show or set what an application may send. Limits that are not named stay; `default` is the deployment's."""
    from sluice_cli import render

    given = {
        "requests_per_second": requests_per_second,
        "bytes_per_second": bytes_per_second,
        "bytes_per_day": bytes_per_day,
    }
    changed = {limit: _limit(limit, text) for limit, text in given.items() if text is not None}
    functions = connections.current(context).functions()
    if changed:
        application = functions.admin("change_application", application=name, limits=changed)["application"]
    else:
        application = functions.admin("show_application", application=name)["application"]
    if json:
        render.write_json(render.output(), application["limits"])
    else:
        render.output().print(render.limit_table(application["limits"]))


def _limit(name: str, text: str) -> int | None:
    """None for `default`. Raises SettingsError."""
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) < 2**63):
        option = name.replace("_", "-")
        raise SettingsError(f"{text!r} is no limit", f"Give --{option} a whole number above 0, or `default`.")
    return int(text)


def _change(context: typer.Context, application: str, done: str, json: bool, **changes: Any) -> None:
    from sluice_cli import render

    functions = connections.current(context).functions()
    changed = functions.admin("change_application", application=application, **changes)["application"]
    if json:
        render.write_json(render.output(), changed)
    else:
        render.write_line(render.output(), done)
