"""The steps of the demo. Each prints what it does and what came of it."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo.readback import Readback, read_back
from demo.sources import Source
from sluice_cli.api import Api, Receipt
from sluice_cli.errors import RefusedError, UnavailableError
from sluice_cli.invoke import Functions
from sluice_cli.render import write_line
from sluice_cli.shipping import ship

type JsonObject = dict[str, Any]

APPLICATION = "demo"
# Reading stored logs and the ledger's total needs more than a sender's key would have.
SCOPES = ["ingest", "read", "admin"]
_BALANCE_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.5


def make_key(functions: Functions, console: Console) -> str:
    """Creates the application if it is missing, and a fresh key for it."""
    names = [entry["name"] for entry in functions.admin("list_applications")["applications"]]
    if APPLICATION not in names:
        functions.admin("create_application", name=APPLICATION)
    key = str(functions.admin("create_key", application=APPLICATION, scopes=SCOPES, expires_at=None)["key"])
    write_line(
        console, f"   application {APPLICATION}: {'was there' if APPLICATION in names else 'created'}, fresh key"
    )
    return key


def ship_sources(api: Api, sources: Iterable[Source], receipts: list[Receipt], console: Console) -> list[str]:
    """Ships every source and adds the receipts to the list as they come in.

    Returns the refusals, each with the name of its source.
    """
    refusals: list[str] = []
    with _progress(console) as progress:
        for source in sources:
            task = progress.add_task(source.name, total=source.record_count)
            started = time.monotonic()
            for shipment in ship(api, source.batches):
                receipts += [shipment.receipt] if shipment.receipt else []
                refusals += [f"{source.name}, {refusal}" for refusal in shipment.refusals]
                progress.advance(task, len(shipment.batch.records))
            seconds = time.monotonic() - started
            write_line(progress.console, f"   {source.name}: {source.record_count} logs in {seconds:.1f} s")
            progress.remove_task(task)
    return refusals


def drain_until_balanced(functions: Functions, api: Api, console: Console) -> JsonObject:
    """Drains until nothing is in flight; returns the ledger as it is then, or when the time is up."""
    deadline = time.monotonic() + _BALANCE_TIMEOUT_SECONDS
    with console.status("   draining") as status:
        while True:
            _drain(functions, console)
            ledger = api.ledger()
            total = ledger["total"]
            status.update(f"   {total['in_flight']} in flight, {total['stored']} stored")
            is_balanced = total["in_flight"] == 0 and total["unaccounted"] == 0
            if is_balanced or time.monotonic() > deadline:
                return ledger
            time.sleep(_POLL_SECONDS)


def _drain(functions: Functions, console: Console) -> None:
    """One drain. A failed one is told and not fatal: the scheduled drains go on, and the ledger shows the end."""
    try:
        done = functions.drain()
    except (RefusedError, UnavailableError) as error:
        write_line(console, f"   {error.line()}", "yellow")
        return
    text = f"   drain: {done['stored']} logs stored by {done['chunks']} chunks in {done['duration_ms']} ms"
    if not done["claimed_entries"]:
        text = "   drain: nothing to claim, the scheduled drain has been here"
    write_line(console, text)


def fetch_stored(api: Api, receipts: list[Receipt], console: Console) -> Readback:
    """Reads the run's logs back through the API, batch by batch."""
    with _progress(console) as progress:
        task = progress.add_task("read back", total=sum(receipt.accepted for receipt in receipts))
        return read_back(api, receipts, lambda rows: progress.advance(task, rows))


def check_folder(folder: Path) -> str | None:
    """What is missing in the stack's state folder for the demo to run, or None."""
    if not (folder / "env").is_file():
        return f"no running stack has its state in {folder}: start and deploy it with `make up` and `make deploy`"
    return None


def _progress(console: Console) -> Progress:
    columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
