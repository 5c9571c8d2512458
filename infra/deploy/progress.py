"""What the operator sees while a deployment runs: a line per step, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(stderr=True, highlight=False)


class Step:
    """The running step; `note` is what its line says at the end."""

    def __init__(self, name: str, update: Callable[[str], None]) -> None:
        self.name = name
        self.note = ""
        self._update = update

    def show(self, detail: str) -> None:
        """Show what the step is doing right now, where the terminal can."""
        self._update(escape(f"{self.name}: {detail[:80]}"))


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Time one step and print its line when it is done."""
    started = time.monotonic()
    try:
        with console.status(name) as status:
            current = Step(name, status.update)
            yield current
    except BaseException:
        console.print(f"[red]✗[/] {name:<12}{time.monotonic() - started:6.1f} s")
        raise
    console.print(f"[green]✓[/] {name:<12}{time.monotonic() - started:6.1f} s  [dim]{escape(current.note)}[/]")
