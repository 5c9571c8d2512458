"""What the demo shows in the end: the numbers, some logs, and how to go on from here."""

import shlex
from dataclasses import dataclass

from rich.console import Console

from demo.readback import Readback
from sluice_cli.render import LEVEL_STYLES, log_lines, make_table, write_line


@dataclass
class Outcome:
    """The run in numbers: of this run `accepted` and `stored`, of the whole ledger `unaccounted`.

    `unaccounted` is None until the ledger was read.
    """

    accepted: int = 0
    stored: int = 0
    unaccounted: int | None = None

    def last_line(self) -> str:
        """The demo's last line; a ledger that was never read leaves everything not seen stored unaccounted for."""
        unaccounted = self.accepted - self.stored if self.unaccounted is None else self.unaccounted
        return f"demo: {self.accepted} accepted, {self.stored} stored, {unaccounted} unaccounted"


def show_stored(readback: Readback, console: Console) -> None:
    """The count per level, and one log of each as it was read back."""
    known = [level for level in LEVEL_STYLES if readback.levels[level]]
    levels = known + sorted(set(readback.levels) - set(known))
    write_line(console, "")
    console.print(
        make_table(("level", "stored"), ((level, f"{readback.levels[level]:,}") for level in levels), numeric=True)
    )
    write_line(console, "\nOne log of each level, as GET /api/logs returns it:", "bold")
    for level in levels:
        console.print(log_lines(readback.samples[level]), soft_wrap=True)


def show_next(url: str, key: str, console: Console) -> None:
    """URL, key and commands to go on with; the commands stand alone on a line, to be copied."""
    header = shlex.quote(f"X-API-Key: {key}")
    body = '{"level":"INFO","message":"hello from curl","metadata":{"attempt":1}}'
    post = f"curl -sS {shlex.quote(url + '/api/ingest/')} -H {header} -H 'Content-Type: application/json' -d '{body}'"
    get = f"curl -sS {shlex.quote(url + '/api/logs?limit=3')} -H {header}"
    blocks = (
        ("Dashboard; sign in with the key", url + "/"),
        ("API URL", url),
        ("Key (scopes ingest, read, admin; also in the stack's env file)", key),
        ("Send a log of your own", post),
        ("Read it back, a second later", get),
        ("Look around", "build/venv/bin/sluice logs --since -1h --level ERROR"),
        ("Stop the stack; its data stay for the next `make up`", "make down"),
    )
    for heading, content in blocks:
        write_line(console, "")
        write_line(console, f"{heading}:", "bold")
        write_line(console, content)
    write_line(console, "")
