"""`sluice channels`: who is told of incidents."""

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from sluice_cli.commands.reading import Application, AsJson, open_api
from sluice_cli.errors import SettingsError

app = typer.Typer(no_args_is_help=True, help="Channels: who is told of incidents, and how.")
Channel = Annotated[str, typer.Argument(help="Id, its beginning, or name.", metavar="CHANNEL")]
Target = Annotated[
    str,
    typer.Argument(
        help="URL, e-mail address, or ARN of a topic called sluice-alerts-…; - reads it from standard input, so that "
        "no list of processes shows it.",
        metavar="TARGET",
    ),
]


class Kind(StrEnum):
    """How messages get there."""

    webhook = "webhook"
    slack = "slack"
    email = "email"
    sns = "sns"


class Severity(StrEnum):
    """The least that is told."""

    info = "info"
    warning = "warning"
    critical = "critical"


@app.command("list", epilog="Example: sluice channels list --app checkout")
def list_(context: typer.Context, application: Application = None, json: AsJson = False) -> None:
    """List channels, and how the last attempt to tell each something ended."""
    from sluice_cli import channels_view, render

    found = list(open_api(context).channels(application))
    console = render.output()
    if json or not console.is_terminal:
        for channel in found:
            render.write_json(console, channel)
    elif found:
        console.print(channels_view.channel_table(found))
    else:
        hint = "Nobody is told of incidents. Make a channel: sluice channels create --help"
        render.write_line(render.messages(), hint)


@app.command("create", epilog="Example: sluice channels create 'On call' webhook https://hooks.example.com/sluice")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.", metavar="NAME")],
    kind: Annotated[Kind, typer.Argument(help="How messages get there.", metavar="KIND")],
    target: Target,
    min_severity: Annotated[Severity, typer.Option(help="The least that is told.")] = Severity.info,
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Create a channel. A webhook's signing secret is shown once, on stdout; `sluice channels test` tries it."""
    members = {"name": name, "kind": kind.value, "target": _target(target), "min_severity": min_severity.value}
    members |= {"application": application} if application else {}
    _report(open_api(context).create_channel(members)["channel"], json, "created")


@app.command("edit", epilog="Example: sluice channels edit 'On call' --min-severity critical")
def edit(
    context: typer.Context,
    channel: Channel,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    target: Annotated[str | None, typer.Option(help="Another target; - reads it from standard input.")] = None,
    min_severity: Annotated[Severity | None, typer.Option(help="Another least severity.")] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is told anything.")] = None,
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Change a channel; what you do not name stays."""
    members: dict[str, Any] = {"name": name} if name else {}
    members |= {"target": _target(target)} if target else {}
    members |= {"min_severity": min_severity.value} if min_severity else {}
    members |= {} if enabled is None else {"enabled": enabled}
    if not members:
        raise SettingsError("Nothing to change", "Give --name, --target, --min-severity, --on or --off.")
    api = open_api(context)
    _report(api.change_channel(_find(api, channel, application), members)["channel"], json, "changed")


@app.command("rotate", epilog="Example: sluice channels rotate 'On call'")
def rotate(context: typer.Context, channel: Channel, application: Application = None, json: AsJson = False) -> None:
    """Give a webhook a new signing secret, shown once; the one before signs, too, for a day."""
    api = open_api(context)
    _report(api.rotate_channel(_find(api, channel, application))["channel"], json, "has a new secret")


@app.command("delete", epilog="Example: sluice channels delete 'On call'")
def delete(context: typer.Context, channel: Channel, application: Application = None, json: AsJson = False) -> None:
    """Delete a channel: its target is forgotten, and what waits is not sent."""
    api = open_api(context)
    _report(api.delete_channel(_find(api, channel, application))["deleted"], json, "deleted")


@app.command("test", epilog="Example: sluice channels test 'On call'")
def try_channel(
    context: typer.Context, channel: Channel, application: Application = None, json: AsJson = False
) -> None:
    """Send a test message; the exit code is 1 if it did not arrive."""
    from sluice_cli import render

    api = open_api(context)
    found = api.test_channel(_find(api, channel, application))
    if json:
        render.write_json(render.output(), found)
    elif found["delivered"]:
        render.write_line(render.output(), f"It arrived, as message {found['message']}.")
    else:
        status = f" {found['status']}" if found["status"] else ""
        told = f"It did not arrive: {found['code']}{status} {found['detail']}".rstrip()
        render.write_line(render.messages(), told, "bold red")
    if not found["delivered"]:
        raise typer.Exit(1)


def _target(text: str) -> str:
    return sys.stdin.readline().strip() if text == "-" else text


def _find(api: Any, text: str, application: str | None) -> str:
    """The id of the channel that is called so, or whose id begins so."""
    channels = list(api.channels(application))
    same = [one for one in channels if one["name"] == text] or [one for one in channels if one["id"].startswith(text)]
    if len(same) != 1:
        told = f"{len(same)} channels are called {text!r}" if same else f"There is no channel {text!r}"
        raise SettingsError(told, "Give the id, as `sluice channels list` shows it.")
    return str(same[0]["id"])


def _report(channel: dict[str, Any], json: bool, done: str) -> None:
    from sluice_cli import render

    if json:
        render.write_json(render.output(), channel)
        return
    secret = channel.get("signing_secret")
    told = f"Channel {channel['name']!r} of {channel['application']} {done}: {channel['kind']} to {channel['target']}"
    render.write_line(render.messages() if secret else render.output(), told)
    if secret:
        hint = "Keep it now: the signing secret is shown once and can never be shown again."
        render.write_line(render.messages(), hint, "yellow")
        render.write_line(render.output(), secret)
