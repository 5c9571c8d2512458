"""`sluice keys`: API keys of applications."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.times import future_moment, span_seconds

app = typer.Typer(no_args_is_help=True, help="API keys of applications.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Application = Annotated[str, typer.Argument(help="Name of the application.", metavar="APP")]
KeyId = Annotated[str, typer.Argument(help="Key id, as `sluice keys list` shows it.", metavar="KEY_ID")]


class Scope(StrEnum):
    """What a key may be used for."""

    ingest = "ingest"
    read = "read"
    admin = "admin"
    metrics = "metrics"
    alerts = "alerts"


@app.command("create", epilog="Example: sluice keys create checkout --scope ingest --expires 90d --description web-1")
def create(
    context: typer.Context,
    application: Application,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do, repeatable. Default: ingest only.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="RFC 3339, or a span from now such as 90d. Default: never.", metavar="WHEN")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What or who it is for; `sluice keys list` shows it.")] = None,
    json: Json = False,
) -> None:
    """Create an API key; it is shown once, on stdout, and can never be shown again."""

    expires_at = future_moment(expires, datetime.now(UTC)) if expires else None
    scopes = list(dict.fromkeys(str(entry) for entry in scope or [Scope.ingest]))
    functions = connections.current(context).functions()
    key = functions.admin(
        "create_key", application=application, scopes=scopes, expires_at=expires_at, description=description
    )
    _show_once(key, json)


def _show_once(key: dict[str, Any], json: bool) -> None:
    from sluice_cli import render

    if json:
        render.write_json(render.output(), key)
        return
    until = f"until {render.second(key['expires_at'])} UTC" if key["expires_at"] else "for ever"
    render.write_line(render.messages(), f"Key {key['key_id']} of {key['application']}")
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


@app.command("rotate", epilog="Example: sluice keys rotate 3f9a2c71d05b48e6 --overlap 48h")
def rotate(
    context: typer.Context,
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(help="How long the old key stays good beside the new one: 0s, 30m, 24h, 7d.", metavar="SPAN")
    ] = "24h",
    json: Json = False,
) -> None:
    """Create the successor of a key, with the same scopes; it is shown once, on stdout.

    The old key expires after the overlap: give the new one to all who use the old one until then. `sluice keys list`
    shows when the old one was used last.
    """
    from sluice_cli import render

    seconds = span_seconds(overlap)
    functions = connections.current(context).functions()
    old = _key_id(key_id)
    key = functions.admin("rotate_key", key_id=old, overlap_seconds=seconds)
    if not json:
        told = f"It takes the place of {old}, which is refused after {overlap if seconds else '15s'}."
        render.write_line(render.messages(), told)
    _show_once(key, json)


@app.command("revoke", epilog="Example: sluice keys revoke 3f9a2c71d05b48e6")
def revoke(context: typer.Context, key_id: KeyId, json: Json = False) -> None:
    """Revoke a key; within 15 seconds it is refused everywhere. Revoking it again changes nothing."""
    from sluice_cli import render

    key = connections.current(context).functions().admin("revoke_key", key_id=_key_id(key_id))
    if json:
        render.write_json(render.output(), key)
        return
    render.write_line(render.output(), f"Key {key['key_id']} is revoked; within 15 seconds it is refused everywhere.")


def _key_id(text: str) -> str:
    """The id, also of a whole key: who only has that need not cut it up, and its secret stays here."""
    parts = text.strip().split("_")
    return parts[1] if len(parts) == 4 and parts[0] == "slc" else text
