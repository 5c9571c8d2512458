"""`sluice send`: ships a file of log lines."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from sluice_cli import connections
from sluice_cli.errors import CliError, SettingsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from sluice_cli.shipping import Shipment

_INTERRUPTED = 130  # as a shell reports Ctrl-C


@dataclass
class Tally:
    """Running counts of log records. `through_line` is the last input line that is dealt with."""

    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    through_line: int = 0

    def add(self, shipment: Shipment) -> None:
        """Counts one batch. Lines that were too long to be sent count as rejected."""
        self.sent += len(shipment.batch.records)
        self.accepted += shipment.receipt.accepted if shipment.receipt else 0
        self.rejected += sum(refusal.line_count for refusal in shipment.refusals)
        self.through_line = shipment.batch.last_line

    def __str__(self) -> str:
        return f"{self.sent} sent, {self.accepted} accepted, {self.rejected} rejected"


def send(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="File of log lines, or - for standard input.", metavar="FILE|-")],
    batch_size: Annotated[int, typer.Option(help="Most logs in one request.", min=1, max=10_000)] = 1000,
) -> None:
    """Ship a file of log lines in batches.

    A JSON object is sent as it is; any other line becomes a message, with the timestamp and level found at its
    beginning. A time without zone is taken as UTC. Blank lines are passed over. Busy answers and broken connections
    are retried without making duplicates. Ends with exit code 1 if any line was not accepted.
    """
    from sluice_cli import render, shipping

    tally = Tally()
    console = render.messages()
    with _opened(file) as stream, _progress(console, _size(stream)) as progress:
        task = progress.task_ids[0]
        api = connections.current(context).api(notice=lambda text: render.write_line(progress.console, text, "yellow"))
        try:
            for shipment in shipping.ship(api, shipping.make_batches(shipping.read_lines(stream), batch_size)):
                tally.add(shipment)
                for refusal in shipment.refusals:
                    render.write_line(progress.console, str(refusal), "red")
                progress.update(task, advance=shipment.batch.read_bytes, accepted=tally.accepted)
        except CliError as error:
            error.hint = f"{error.hint} {_remainder(file, tally)}".strip()
            render.write_line(render.output(), str(tally))
            raise
        except KeyboardInterrupt:
            render.write_line(render.output(), f"Interrupted: {tally}. {_remainder(file, tally)}")
            raise typer.Exit(_INTERRUPTED) from None
    render.write_line(render.output(), str(tally))
    if tally.rejected:
        raise typer.Exit(1)


def _remainder(file: str, tally: Tally) -> str:
    """How to go on after an end before the end of the input."""
    if file == "-":
        return f"Dealt with so far: {tally.through_line} lines."
    return f"The rest: tail -n +{tally.through_line + 1} {shlex.quote(file)} | sluice send -"


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  # closed below; only its opening is translated
    except OSError as error:
        raise SettingsError(
            f"Cannot read {file}: {error.strerror}", "Give a file of log lines, or - for stdin."
        ) from error
    with stream:
        yield stream


def _size(stream: BinaryIO) -> int | None:
    """Bytes to come, None where nobody knows (a pipe)."""
    try:
        size = os.fstat(stream.fileno()).st_size
    except OSError:
        return None
    return size or None


@contextmanager
def _progress(console: Console, total_bytes: int | None) -> Iterator[Progress]:
    """A progress bar on stderr; nothing at all if that is no terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [BarColumn(), DownloadColumn(), TextColumn("{task.fields[accepted]} accepted"), TimeElapsedColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task("sending", total=total_bytes, accepted=0)
        yield progress
