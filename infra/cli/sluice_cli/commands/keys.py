"""`sluice keys`: API keys of applications."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from sluice_cli import connections
from sluice_cli.times import future_moment

app = typer.Typer(no_args_is_help=True, help="API keys of applications.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Application = Annotated[str, typer.Argument(help="Name of the application.", metavar="APP")]


class Scope(StrEnum):
    """What a key may be used for."""

    ingest = "ingest"
    read = "read"
    admin = "admin"


@app.command("create", epilog="Example: sluice keys create checkout --scope ingest --scope read --expires 90d")
def create(
    context: typer.Context,
    application: Application,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do, repeatable. Default: ingest only.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="RFC 3339, or a span from now such as 90d. Default: never.", metavar="WHEN")
    ] = None,
    json: Json = False,
) -> None:
    """Create an API key; it is shown once, on stdout, and can never be shown again."""
    from sluice_cli import render

    expires_at = future_moment(expires, datetime.now(UTC)) if expires else None
    scopes = list(dict.fromkeys(str(entry) for entry in scope or [Scope.ingest]))
    functions = connections.current(context).functions()
    key = functions.admin("create_key", application=application, scopes=scopes, expires_at=expires_at)
    if json:
        render.write_json(render.output(), key)
        return
    until = f"until {render.second(key['expires_at'])} UTC" if key["expires_at"] else "for ever"
    render.write_line(render.messages(), f"Key {key['key_id']} of {application}")
    render.write_line(render.messages(), f"Valid {until} for: {', '.join(key['scopes'])}")
    render.write_line(render.messages(), "Keep it now: this key is shown once and can never be shown again.", "yellow")
    # Alone on stdout, so that KEY=$(sluice keys create ...) works.
    render.write_line(render.output(), key["key"])


@app.command("list", epilog="Example: sluice keys list checkout")
def list_(context: typer.Context, application: Application, json: Json = False) -> None:
    """List the keys of an application, without their secrets."""
    from sluice_cli import render

    keys = connections.current(context).functions().admin("list_keys", application=application)["keys"]
    if json:
        render.write_json(render.output(), keys)
    elif keys:
        render.output().print(render.key_table(keys))
    else:
        render.write_line(render.messages(), f"No keys yet. Create one with: sluice keys create {application}")


@app.command("revoke", epilog="Example: sluice keys revoke 3f9a2c71d05b48e6")
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="Key id, as `sluice keys list` shows it.", metavar="KEY_ID")],
) -> None:
    """Revoke a key; within 15 seconds it is refused everywhere."""
    from sluice_cli import render

    key = connections.current(context).functions().admin("revoke_key", key_id=key_id)
    render.write_line(render.output(), f"Key {key['key_id']} is revoked; within 15 seconds it is refused everywhere.")
