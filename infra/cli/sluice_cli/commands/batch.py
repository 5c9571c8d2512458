"""`sluice batch`: what became of a request?"""

from typing import Annotated

import typer

from sluice_cli.commands.reading import AsJson, open_api


def batch(
    context: typer.Context,
    batch_id: Annotated[
        str, typer.Argument(metavar="ID", help="Of a batch, a log, or a trace that requests were part of.")
    ],
    json: AsJson = False,
) -> None:
    """Show what became of a request: what is queued, stored, a duplicate, or among the dead letters.

    The functions' own logs name the batch, too: ingest in the line with the request's metrics, process_chunk in "chunk
    stored", drain in "chunk failed".
    """
    from sluice_cli import render

    console = render.output()
    found = open_api(context).batches(batch_id)["batches"]
    if json or not console.is_terminal:
        for item in found:
            render.write_json(console, item)
        return
    for item in found:
        console.print(render.batch_table(item))
        if item["dead_letters"]:
            console.print(render.batch_letter_table(item["dead_letters"]))
