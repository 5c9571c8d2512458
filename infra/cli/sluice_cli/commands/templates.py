"""`sluice templates` and `sluice template`: what logs say, but for their values, and how often."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.commands.reading import AsJson, filtered, open_api
from sluice_cli.errors import SettingsError


class Order(StrEnum):
    """Which come first: the most frequent, or the latest."""

    COUNT = "count"
    LAST_SEEN = "last_seen"
    FIRST_SEEN = "first_seen"


@filtered("query", "since", "until", "application", since="-24h")
def templates(
    context: typer.Context,
    filters: dict[str, str],
    order: Annotated[Order, typer.Option(help="Most, latest or newest first.")] = Order.COUNT,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 30,
    json: AsJson = False,
) -> None:
    """List what logs say, but for the values in them, and how often. QUERY is words of the text."""
    from sluice_cli import render

    console = render.output()
    found = open_api(context).templates(filters | {"order": order.value, "limit": str(limit)})
    if json or not console.is_terminal:
        for template in found["templates"]:
            render.write_json(console, template)
        return
    console.print(render.template_table(found["templates"]))
    for health in found["health"]:
        if health["overflowed_at"]:
            told = f"{health['application']} has too many kinds of messages: new ones count in one template, <*>"
            render.write_line(render.messages(), told, "yellow")


@filtered("since", "until", since="-24h")
def template(
    context: typer.Context,
    filters: dict[str, str],
    template_id: Annotated[int, typer.Argument(help="Of the template, as `sluice templates` shows it.", min=1)],
    json: AsJson = False,
) -> None:
    """Show one template, what stands in its places lately, and examples."""
    from sluice_cli import render

    console = render.output()
    found: dict[str, Any] = open_api(context).template(template_id, filters)
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    console.print(render.template_table([found["template"]]))
    if found["parameters"]["places"]:
        console.print(render.place_table(found["parameters"]["places"]))
    for example in found["examples"]:
        render.write_line(console, example)


def change_template(
    context: typer.Context,
    template_id: Annotated[int, typer.Argument(help="Of the template, as `sluice templates` shows it.", min=1)],
    name: Annotated[str | None, typer.Option(help="Call it so; empty for its text alone.")] = None,
    ignore: Annotated[bool | None, typer.Option("--ignore/--show", help="Leave it out of lists, or not.")] = None,
    merge_into: Annotated[int | None, typer.Option(help="Count it as this template from now on.", min=1)] = None,
    part: Annotated[bool, typer.Option("--part", help="Take --merge-into back.")] = False,
    split: Annotated[
        bool | None,
        typer.Option("--split/--unsplit", help="Keep it apart from what the miner merged it into, or take that back."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Name, ignore, merge, part or split a template. No stored log is changed, and all of it can be taken back."""
    from sluice_cli import render

    if part and merge_into:
        raise SettingsError("--part and --merge-into exclude each other")
    given = {"name": name or None, "ignored": ignore, "merged_into": merge_into, "split": split}
    wanted = {
        key: value
        for key, value in given.items()
        if value is not None or (key == "name" and name == "") or (key == "merged_into" and part)
    }
    if not wanted:
        raise SettingsError("say what to change: --name, --ignore, --show, --merge-into, --part, --split or --unsplit")
    changed = connections.current(context).functions().admin("change_template", id=template_id, **wanted)["template"]
    if json:
        render.write_json(render.output(), changed)
        return
    render.write_line(render.output(), f"Template {template_id} is changed: {changed['name'] or changed['text']}")
    if split is not None:
        render.write_line(render.messages(), "Logs that come count so within a minute.", style="dim")
