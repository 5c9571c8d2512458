"""`sluice histogram`: how many logs there were over time."""

from enum import StrEnum
from typing import Annotated

import typer

from sluice_cli.commands.reading import AsJson, filtered, open_api


class By(StrEnum):
    """What is told apart."""

    LEVEL = "level"
    APPLICATION = "application"
    NONE = "none"


@filtered(since="-1h")
def histogram(
    context: typer.Context,
    filters: dict[str, str],
    by: Annotated[By, typer.Option(help="What to tell apart.")] = By.LEVEL,
    buckets: Annotated[int, typer.Option(help="About how many intervals.", min=1, max=200)] = 30,
    json: AsJson = False,
) -> None:
    """Draw how many logs there were over time; a row for each interval."""
    from sluice_cli import render

    console = render.output()
    counts = open_api(context).histogram(filters | {"by": by.value, "buckets": str(buckets)})
    if json or not console.is_terminal:
        render.write_json(console, counts)
        return
    if not counts["total"]:
        render.write_line(render.messages(), "No logs match in this time: try another --since")
        return
    for line in render.histogram_lines(counts, console.width):
        console.print(line, soft_wrap=True)
    if counts["partial"]:
        render.write_line(render.messages(), "Older logs are not counted: choose a shorter time", "yellow")
