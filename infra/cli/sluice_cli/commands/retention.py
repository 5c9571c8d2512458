"""`sluice retention`: how long logs are kept."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.errors import SettingsError

type JsonObject = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="Retention: how long logs can be searched, are archived, and are kept.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Name = Annotated[str, typer.Argument(help="Name of the class.", metavar="CLASS")]
Application = Annotated[str, typer.Argument(help="Name of the application.", metavar="APP")]
HotDays = Annotated[int | None, typer.Option("--hot", help="Days in the log table, after the day of receipt.", min=1)]
ArchiveDays = Annotated[
    int | None, typer.Option("--archive", help="Days until archived logs are deleted; 0: never.", min=0)
]
Archived = Annotated[
    bool | None, typer.Option("--archived/--deleted", help="Whether logs are archived after that, or deleted.")
]


@app.command("list", epilog="Example: sluice retention list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the retention classes."""
    from sluice_cli import render

    classes = connections.current(context).functions().admin("list_retention_classes")["retention_classes"]
    if json:
        render.write_json(render.output(), classes)
    else:
        headings = ("class", "days hot", "then", "applications")
        render.output().print(render.make_table(headings, map(_row, classes)))


@app.command("create", epilog="Example: sluice retention create long --hot 90 --archive 730")
def create(
    context: typer.Context,
    name: Name,
    hot: HotDays,
    archive: ArchiveDays = None,
    archived: Archived = None,
    json: Json = False,
) -> None:
    """Create a retention class. Without --archive and --deleted its logs are archived for ever."""
    _write(context, "create_retention_class", name, _days(hot, archive, archived), json)


@app.command("change", epilog="Example: sluice retention change long --hot 60")
def change(
    context: typer.Context,
    name: Name,
    hot: HotDays = None,
    archive: ArchiveDays = None,
    archived: Archived = None,
    json: Json = False,
) -> None:
    """Change how long logs of a class are kept, those that are stored included."""
    days = _days(hot, archive, archived)
    if not days:
        raise SettingsError("Nothing to change", "Give --hot, --archive, --archived or --deleted.")
    _write(context, "change_retention_class", name, days, json)


@app.command("show", epilog="Example: sluice retention show checkout")
def show(context: typer.Context, application: Application, json: Json = False) -> None:
    """Show in which classes an application's logs are kept."""
    found = connections.current(context).functions().admin("show_retention", application=application)
    _show(found["retention"], json)


@app.command("assign", epilog="Example: sluice retention assign checkout long --level error --level critical")
def assign(
    context: typer.Context,
    application: Application,
    name: Annotated[str, typer.Argument(help="Name of the class; - with --level: the application's own.")],
    levels: Annotated[list[str] | None, typer.Option("--level", help="Only logs of this level, repeatable.")] = None,
    json: Json = False,
) -> None:
    """Keep an application's logs in a class, from now on: those of some levels, or all others."""
    if name == "-" and not levels:
        raise SettingsError("An application has a class", "Name it, or give --level to take a level's own away.")
    members: JsonObject = {"retention_class": name}
    if levels:
        members = {"levels": dict.fromkeys((level.upper() for level in levels), None if name == "-" else name)}
    done = connections.current(context).functions().admin("change_retention", application=application, **members)
    _show(done["retention"], json)


def _days(hot: int | None, archive: int | None, archived: bool | None) -> JsonObject:
    days: JsonObject = {} if hot is None else {"hot_days": hot}
    if archive is not None:
        days["archive_days"] = archive or None
    return days if archived is None else days | {"is_archived": archived}


def _write(context: typer.Context, action: str, name: str, days: JsonObject, json: bool) -> None:
    from sluice_cli import render

    found = connections.current(context).functions().admin(action, name=name, **days)["retention_class"]
    if json:
        render.write_json(render.output(), found)
    else:
        _, hot, then, _ = _row(found)
        render.write_line(render.output(), f"{found['name']}: {hot} days in the log table, then {then}")


def _row(found: JsonObject) -> tuple[str, ...]:
    then = "deleted"
    if found["is_archived"]:
        days = found["archive_days"]
        then = "archived" if days is None else f"archived up to day {days}"
    return found["name"], str(found["hot_days"]), then, str(found["application_count"])


def _show(retention: JsonObject, json: bool) -> None:
    from sluice_cli import render

    if json:
        render.write_json(render.output(), retention)
        return
    render.write_line(render.output(), f"{retention['application']}: {retention['retention_class']}")
    for level, name in retention["levels"].items():
        render.write_line(render.output(), f"  {level}: {name}")
