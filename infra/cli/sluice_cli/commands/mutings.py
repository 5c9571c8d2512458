"""`sluice silences` and `sluice maintenance`: what is not told, and until when."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sluice_cli.commands.reading import Application, AsJson, open_api
from sluice_cli.errors import SettingsError
from sluice_cli.times import future_moment, span_seconds

silences = typer.Typer(no_args_is_help=True, help="Silences: incidents that are not told for a time.")
maintenance = typer.Typer(no_args_is_help=True, help="Maintenance windows: times in which nothing is told.")
_MATCHER = re.compile(r"(?P<label>[^=!]+?)(?P<is>=~|!=|=)(?P<value>.*)")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOW = "LABEL=VALUE, LABEL!=VALUE or LABEL=~PATTERN, repeatable: all must hold."
Id = Annotated[str, typer.Argument(help="Id, or its beginning.", metavar="ID")]
Comment = Annotated[str, typer.Option(help="Why.")]


@silences.command("list", epilog="Example: sluice silences list --all")
def list_silences(
    context: typer.Context,
    is_all: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    application: Application = None,
    json: AsJson = False,
) -> None:
    """List silences that are not over."""
    from sluice_cli import channels_view, render

    found = _silences(open_api(context), application, is_all=is_all)
    console = render.output()
    if json or not console.is_terminal:
        for silence in found:
            render.write_json(console, silence)
    elif found:
        console.print(channels_view.silence_table(found))
    else:
        render.write_line(render.messages(), "Nothing is silenced.")


@silences.command(
    "create", epilog="Example: sluice silences create rule=Errors host=~'web-.*' --for 2h --comment known"
)
def create_silence(
    context: typer.Context,
    matchers: Annotated[list[str], typer.Argument(help=_HOW, metavar="MATCHER...")],
    lasts: Annotated[str | None, typer.Option("--for", help="How long: 30m, 2h, 1d.", metavar="SPAN")] = None,
    until: Annotated[str | None, typer.Option(help="Or until when: RFC 3339.", metavar="WHEN")] = None,
    comment: Comment = "",
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Silence incidents with such labels. What still fires when the silence ends is told then."""
    from sluice_cli import channels_view, render

    if (lasts is None) == (until is None):
        raise SettingsError("Until when?", "Give --for or --until.")
    members: dict[str, Any] = {"matchers": [_matcher(text) for text in matchers], "comment": comment}
    members |= {"ends_at": future_moment(str(lasts or until), datetime.now(UTC))}
    members |= {"application": application} if application else {}
    made = open_api(context).create_silence(members)["silence"]
    if json:
        render.write_json(render.output(), made)
        return
    told = f"Silence {made['id'][:8]} of {made['application']}: {channels_view.matchers_text(made['matchers'])}"
    render.write_line(render.output(), f"{told}, until {render.second(made['ends_at'])} UTC")


@silences.command("expire", epilog="Example: sluice silences expire 6f1c2a9b")
def expire_silence(context: typer.Context, silence: Id, application: Application = None, json: AsJson = False) -> None:
    """End a silence now; it stays listed."""
    from sluice_cli import render

    api = open_api(context)
    found = api.expire_silence(_whole_id(_silences(api, application), silence))["silence"]
    if json:
        render.write_json(render.output(), found)
        return
    render.write_line(render.output(), f"Silence {found['id'][:8]} is over.")


@maintenance.command("list", epilog="Example: sluice maintenance list")
def list_windows(context: typer.Context, application: Application = None, json: AsJson = False) -> None:
    """List maintenance windows that are not over."""
    from sluice_cli import channels_view, render

    found = _windows(open_api(context), application)
    console = render.output()
    if json or not console.is_terminal:
        for window in found:
            render.write_json(console, window)
    elif found:
        console.print(channels_view.window_table(found))
    else:
        render.write_line(render.messages(), "There are no maintenance windows.")


@maintenance.command(
    "create", epilog="Example: sluice maintenance create --weekly sun,wed --at 22:00 --for 4h --zone Europe/Berlin"
)
def create_window(
    context: typer.Context,
    matchers: Annotated[
        list[str] | None, typer.Argument(help=f"{_HOW} None: everything.", metavar="MATCHER...")
    ] = None,
    at: Annotated[str, typer.Option(help="When it begins: RFC 3339 or a span from now; with --weekly HH:MM.")] = "0m",
    lasts: Annotated[str, typer.Option("--for", help="How long: 30m, 4h.", metavar="SPAN")] = "1h",
    weekly: Annotated[str | None, typer.Option(help="Each week on these days, e.g. sun,wed.", metavar="DAYS")] = None,
    zone: Annotated[str, typer.Option(help="With --weekly: the place whose clocks count.")] = "UTC",
    comment: Comment = "",
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Create a maintenance window: now, at a time, or every week."""
    from sluice_cli import channels_view, render

    members: dict[str, Any] = {"matchers": [_matcher(text) for text in matchers or []], "comment": comment}
    members |= {"application": application} if application else {}
    seconds = span_seconds(lasts)
    if weekly is None:
        starts_at = future_moment(at, datetime.now(UTC))
        ends_at = future_moment(f"{seconds}s", datetime.fromisoformat(starts_at))
        members |= {"starts_at": starts_at, "ends_at": ends_at}
    else:
        about = {"weekdays": _days(weekly), "start": at, "duration_minutes": seconds // 60, "time_zone": zone}
        members |= {"weekly": about}
    made = open_api(context).create_window(members)["maintenance_window"]
    if json:
        render.write_json(render.output(), made)
        return
    told = f"Maintenance window {made['id'][:8]} of {made['application']}: {channels_view.window_text(made)}"
    render.write_line(render.output(), told)


@maintenance.command("delete", epilog="Example: sluice maintenance delete 6f1c2a9b")
def delete_window(context: typer.Context, window: Id, application: Application = None, json: AsJson = False) -> None:
    """Delete a maintenance window."""
    from sluice_cli import render

    api = open_api(context)
    found = api.delete_window(_whole_id(_windows(api, application), window))["deleted"]
    if json:
        render.write_json(render.output(), found)
        return
    render.write_line(render.output(), f"Maintenance window {found['id'][:8]} is deleted.")


def _silences(api: Any, application: str | None, *, is_all: bool = False) -> list[dict[str, Any]]:
    query = {"status": "all" if is_all else "current", "limit": "500"}
    found: list[dict[str, Any]] = api.silences(query | ({"application": application} if application else {}))[
        "silences"
    ]
    return found


def _windows(api: Any, application: str | None) -> list[dict[str, Any]]:
    asked = {"application": application} if application else {}
    found: list[dict[str, Any]] = api.windows(asked)["maintenance_windows"]
    return found


def _whole_id(found: list[dict[str, Any]], beginning: str) -> str:
    ids = [one["id"] for one in found if one["id"].startswith(beginning)]
    if len(ids) != 1:
        told = f"{len(ids)} begin with {beginning!r}" if ids else f"There is none whose id begins with {beginning!r}"
        raise SettingsError(told, "Give the whole id: `list --json` has it.")
    return str(ids[0])


def _matcher(text: str) -> dict[str, str]:
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise SettingsError(f"{text!r} is no matcher", "Write rule=Errors, host!=web-1 or host=~web-.*")
    return match.groupdict()


def _days(text: str) -> list[str]:
    """From names, or their first three letters."""
    found = [
        [day for day in _DAYS if part and len(part) > 2 and day.startswith(part)] for part in text.lower().split(",")
    ]
    if not all(found):
        raise SettingsError(f"{text!r} are no days", "Write sun,wed.")
    return [day for (day,) in found]
