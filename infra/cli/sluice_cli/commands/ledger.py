"""`sluice ledger`: does the count of accepted logs balance?"""

from typing import Annotated

import typer

from sluice_cli import connections

_ROLLED_BACK = (
    "Warning: the queue lost its memory (it was emptied, or restored from an older state); logs that only it held are "
    'lost. What to do is in infra/RUNBOOK.md, "The queue was rolled back".'
)


def ledger(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show how many logs were accepted and what became of them.

    A key with scope read sees its own application, one with scope admin sees all. Ends with exit code 1 if any log is
    unaccounted for.
    """
    from sluice_cli import render

    counts = connections.current(context).api().ledger()
    if json:
        render.write_json(render.output(), counts)
    else:
        render.output().print(render.ledger_table(counts))
    if counts["total"].get("queue_rolled_back"):
        names = [entry["application"] for entry in counts["applications"] if entry.get("queue_rolled_back")]
        render.write_line(render.messages(), f"{_ROLLED_BACK} Applications: {', '.join(names)}.", "yellow")
    if counts["total"]["unaccounted"]:
        raise typer.Exit(1)
