"""`python -m demo`: ships real and generated logs through a running embedded stack and checks that each is stored.

Needs a stack that is up and deployed. Exit code 0 if every accepted log is stored once and the ledger balances, else 1.
The last line on stdout has the numbers either way.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from demo import report, steps
from demo.generate import generate
from demo.readback import differences
from demo.report import Outcome
from demo.sources import Source, batch_records, read_server_logs
from deploy.target import write_variable
from sluice_cli import environment, render
from sluice_cli.api import Api, Receipt
from sluice_cli.connections import Connections
from sluice_cli.errors import CliError, SettingsError

GENERATED_LOGS = 20_000


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; returns the exit code."""
    options = _parser().parse_args(arguments)
    console = render.output()
    outcome = Outcome()
    problems: list[str] = []
    try:
        problems = run(options.state, options.generated, outcome, console)
    except CliError as error:
        problems = [error.line()]
    except KeyboardInterrupt:
        problems = ["interrupted"]
    for problem in problems:
        render.write_line(render.messages(), f"demo: {problem}", "red")
    print(outcome.last_line(), flush=True)
    return 1 if problems else 0


def run(state: Path, generated: int, outcome: Outcome, console: Console) -> list[str]:
    """The demo step by step; `outcome` has the numbers as far as they are known. Returns what is wrong."""
    connections = _connect(state)
    _heading(console, "1 of 4: an application and a key")
    functions = connections.functions()
    key = steps.make_key(functions, console)
    write_variable(state / "env", environment.KEY_VARIABLE, key)
    api = Api(connections.api_url(), key, notice=lambda text: render.write_line(console, f"   {text}", "yellow"))

    _heading(console, "2 of 4: the servers' own logs and generated ones go in at the API")
    receipts: list[Receipt] = []
    try:
        problems = steps.ship_sources(api, _sources(state, generated), receipts, console)
    finally:
        outcome.accepted = sum(receipt.accepted for receipt in receipts)

    _heading(console, "3 of 4: the queue is drained into the database")
    total = steps.drain_until_balanced(functions, api, console)["total"]
    outcome.unaccounted = total["unaccounted"]
    problems += _imbalance(total)

    _heading(console, "4 of 4: everything is read back and compared, id by id")
    readback = steps.fetch_stored(api, receipts, console)
    outcome.stored = len(readback.stored)
    problems += differences(receipts, readback)
    report.show_stored(readback, console)
    report.show_next(api.url, key, console)
    return problems


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("build/stack"), help="the stack's state folder")
    parser.add_argument("--generated", type=int, default=GENERATED_LOGS, help="how many logs to generate")
    return parser


def _connect(state: Path) -> Connections:
    missing = steps.check_folder(state)
    if missing:
        raise SettingsError(missing)
    # The demo is about this stack alone: what the shell says about others is overruled, for the AWS library too.
    os.environ.update(environment.read_env_file(state / "env"))
    return Connections(environment.load(os.environ, state))


def _sources(state: Path, generated: int) -> list[Source]:
    servers = [source for source in read_server_logs(state / "logs") if source.record_count]
    return [*servers, batch_records("generated", generate(generated, datetime.now(UTC)))]


def _imbalance(total: dict[str, int]) -> list[str]:
    found = []
    if total["in_flight"]:
        found.append(f"{total['in_flight']} logs are still in flight; look at `make logs`, then run `make demo` again")
    if total["unaccounted"]:
        found.append(f"the ledger does not balance: {total}")
    return found


def _heading(console: Console, text: str) -> None:
    render.write_line(console, text, "bold")


if __name__ == "__main__":
    sys.exit(main())
