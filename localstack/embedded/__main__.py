"""Command line of the embedded stack."""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embedded import control
from embedded.errors import StackError
from embedded.state import BUILD, State
from embedded.supervisor import EMULATORS, SERVER_NAMES, supervise

console = Console(highlight=False)


def up(state: State, arguments: argparse.Namespace) -> int:
    names = _servers(arguments)
    with console.status("starting the servers") as spinner:

        def announce(step: str) -> None:
            spinner.update(step)
            console.print(f"  {step}", style="dim")

        control.up(state, names, announce)
    return status(state, arguments)


def down(state: State, _arguments: argparse.Namespace) -> int:
    with console.status("stopping the servers"):
        stopped = control.down(state)
    console.print("stopped" if stopped else "nothing was running")
    return 0


def status(state: State, _arguments: argparse.Namespace) -> int:
    """Show each server; the exit code is 1 unless all that should run are healthy."""
    servers = control.status(state)
    table = Table("server", "state", "address", "pid", "up", "restarts", "health", box=None, pad_edge=False)
    for server in servers:
        cells = [server.name, server.state, server.address, str(server.pid or ""), _uptime(server.uptime_seconds)]
        table.add_row(*cells, str(server.restarts), server.health, style="" if server.is_up else "red")
    console.print(table)
    return 0 if all(server.is_up for server in servers) else 1


def _uptime(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=int(seconds)))


def clean(state: State, arguments: argparse.Namespace) -> int:
    with control.holding(arguments.unless_locked):
        console.print(f"deleted {state.root}" if control.clean(state) else f"nothing in {state.root}")
    return 0


def run_supervisor(state: State, arguments: argparse.Namespace) -> int:
    return supervise(state, _servers(arguments))


def _servers(arguments: argparse.Namespace) -> list[str]:
    unwanted = set(EMULATORS) - {None if arguments.without else arguments.emulator}
    return [name for name in SERVER_NAMES if name not in unwanted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="embedded", description="Real servers and an AWS emulator, without Docker.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    described = {
        "up": (up, "start the servers and wait until they are healthy"),
        "down": (down, "stop the servers; what they stored stays"),
        "status": (status, "show the servers; exit code 1 unless all are healthy"),
        "clean": (clean, "stop the servers and delete what they stored"),
        "supervise": (run_supervisor, "run the supervisor in the foreground"),
    }
    for name, (action, description) in described.items():
        command = commands.add_parser(name, help=description, description=description)
        command.add_argument(
            "--state", type=Path, default=BUILD / "stack", help="state directory (default build/stack)"
        )
        command.set_defaults(action=action, emulator="emulator", without=None)
        if name == "clean":
            command.add_argument("--unless-locked", type=Path, metavar="FILE", help="refuse while this lock is held")
        if name in ("up", "supervise"):
            which = command.add_mutually_exclusive_group()
            which.add_argument("--without", choices=["emulator"], help="start no AWS emulator")
            which.add_argument("--with", dest="emulator", choices=["localstack"], help="start it as the emulator")
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        code: int = arguments.action(State(arguments.state.resolve()), arguments)
    except (StackError, PermissionError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", style="red", markup=False)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
