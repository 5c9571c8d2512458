"""Command line of the development loop."""

import argparse
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from deploy.build import LAYER
from deploy.replaced import DIRECTORY
from deploy.target import read_variables
from dev.aws import DeployedFunctions, connect
from dev.debugger import DEFAULT_PORT, Debugger
from dev.errors import DevError
from dev.loop import Deploy, Loop
from dev.records import LEVELS
from dev.sources import Sources
from dev.streams import FileStream, FunctionStream
from dev.view import Filter, View
from dev.watching import saves
from embedded.binaries import emulator_python
from embedded.errors import StackError
from embedded.state import BUILD, REPOSITORY, State, owner_pid
from embedded.supervisor import SERVER_NAMES

LOOK_SECONDS = 0.5
WATCHING = "dev: watching functions/, layers/common and template.yaml; Ctrl-C leaves the stack running"
SHOWN_PAST = timedelta(minutes=15)
WORKING_TREE = Sources(REPOSITORY)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Update functions as their files are saved, and show all logs, until Ctrl-C."""
    environment = _environment(arguments.state)
    sources = Sources(arguments.sources.resolve())
    stage = environment["SLUICE_STAGE"]
    functions = DeployedFunctions(connect("lambda", environment), stage, sources, LAYER, arguments.state / DIRECTORY)
    debugger = (
        Debugger(functions, sources, arguments.debug, arguments.port, arguments.wait) if arguments.debug else None
    )
    deploy = Deploy(REPOSITORY, arguments.state, os.environ)
    loop = Loop(sources, functions, console, emulator_python(), LAYER, deploy, debugger)
    streams = _streams(arguments, environment, since=datetime.now(UTC), from_now=True)
    view = View(console, _filter(arguments))
    stop = threading.Event()
    tail = threading.Thread(target=_follow, args=(streams, view, stop), daemon=True)
    if debugger:
        debugger.check()
    tail.start()
    try:
        functions.replace_layer(sources.verbs())
        if debugger:
            debugger.start()
            listens = f"dev: {debugger.verb} listens for a debugger at {debugger.address}"
            console.print(listens, style="bold", markup=False, soft_wrap=True)
        is_announced = False
        for changed in saves(sources, stop):
            if not is_announced:
                console.print(WATCHING, style="bold", soft_wrap=True)
                is_announced = True
            loop.saved(changed)
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        tail.join(timeout=5)
        if debugger:
            functions.restore()
    console.print(_farewell(debugger), style="bold", markup=False, soft_wrap=True)
    return 0


def logs(arguments: argparse.Namespace, console: Console) -> int:
    """Show what functions and servers have logged lately."""
    view = View(console, _filter(arguments))
    streams = _streams(arguments, read_variables(arguments.state / "env"), datetime.now(UTC) - SHOWN_PAST)
    view.show([record for stream in streams for record in stream.read()])
    if arguments.follow:
        with suppress(KeyboardInterrupt):
            _follow(streams, view, threading.Event())
    return 0


def _environment(state: Path) -> dict[str, str]:
    """The running stack's variables; DevError if it does not run or nothing is deployed to it."""
    if owner_pid(State(state)) is None:
        raise DevError(f"no stack runs in {state}: run `make up` first")
    environment = read_variables(state / "env")
    if "SLUICE_URL" not in environment:
        raise DevError("nothing is deployed to the stack yet: run `make up` first")
    return environment


def _streams(
    arguments: argparse.Namespace, environment: Mapping[str, str], since: datetime, *, from_now: bool = False
) -> list[FunctionStream | FileStream]:
    state = State(arguments.state)
    known = [*WORKING_TREE.verbs(), "supervisor", *SERVER_NAMES]
    if unknown := _words(arguments.only) - set(known):
        raise DevError(f"no log is called {', '.join(sorted(unknown))}: use {', '.join(known)}")
    streams: list[FunctionStream | FileStream] = [
        FileStream(name, state.log(name), from_now=from_now) for name in ("supervisor", *SERVER_NAMES)
    ]
    if "AWS_ENDPOINT_URL" in environment and owner_pid(state) is not None:
        client = connect("logs", environment)
        stage = environment["SLUICE_STAGE"]
        for verb in WORKING_TREE.verbs():
            group = f"/aws/lambda/sluice-{stage}-{verb.replace('_', '-')}"
            streams.append(FunctionStream(client, verb, group, since))
    wanted = _words(arguments.only)
    return [stream for stream in streams if not wanted or stream.source in wanted]


def _follow(streams: list[FunctionStream | FileStream], view: View, stop: threading.Event) -> None:
    while not stop.is_set():
        view.show([record for stream in streams for record in stream.read()])
        stop.wait(LOOK_SECONDS)


def _filter(arguments: argparse.Namespace) -> Filter:
    return Filter(_words(arguments.only), arguments.level.lower(), arguments.grep, arguments.metrics)


def _words(text: str) -> frozenset[str]:
    """Names separated by commas or spaces; a function may be called by its deployed name's end, too."""
    return frozenset(word.replace("-", "_") for word in text.replace(",", " ").split())


def _farewell(debugger: Debugger | None) -> str:
    if debugger:
        return "dev: the deployed functions are back; the stack keeps running"
    return "dev: the stack keeps running with what was saved; `make up` builds and deploys it regularly"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev", description="The development loop of the embedded stack, and its logs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for action in (run, logs):
        command = commands.add_parser(action.__name__, help=action.__doc__, description=action.__doc__)
        command.set_defaults(action=action)
        command.add_argument(
            "--state", type=Path, default=BUILD / "stack", help="state directory (default build/stack)"
        )
        command.add_argument("--only", default="", metavar="NAMES", help="functions and servers, by comma")
        command.add_argument("--level", type=str.lower, choices=LEVELS, default="info", help="the least (default info)")
        command.add_argument("--grep", default="", metavar="TEXT", help="only lines with this text, in any case")
        command.add_argument("--metrics", action="store_true", help="show the functions' metrics documents, too")
        if action is logs:
            command.add_argument("-f", "--follow", action="store_true", help="go on as lines are written")
            continue
        command.add_argument("--debug", default="", metavar="FUNCTION", help="run this function under debugpy")
        command.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"the debugger's (default {DEFAULT_PORT})")
        command.add_argument("--wait", action="store_true", help="calls of that function wait for a debugger")
        command.add_argument(
            "--sources", type=Path, default=REPOSITORY, help="working tree to watch (default: this one)"
        )
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    arguments.state = arguments.state.resolve()
    try:
        code: int = arguments.action(arguments, Console(highlight=False))
    except (DevError, StackError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"dev: {error}", style="red", markup=False)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
