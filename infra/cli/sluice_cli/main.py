"""The command `sluice`: global options, error reporting, and the list of commands."""

import errno
import os
from pathlib import Path
from typing import Annotated, Any, override

import typer
from typer.core import TyperGroup

from sluice_cli import environment
from sluice_cli.commands import (
    alerts,
    anomalies,
    apps,
    archive,
    batch,
    channels,
    diff,
    dlq,
    drain,
    erase,
    histogram,
    invoke,
    keys,
    ledger,
    load,
    logs,
    mutings,
    own_logs,
    queue,
    retention,
    send,
    status,
    tail,
    templates,
)
from sluice_cli.connections import Connections
from sluice_cli.errors import CliError

_GLOBAL_OPTIONS = ("--stage", "--url", "--key")
_EPILOG = """\
The three options above may stand before or after the command. In a folder with a running local stack none is
needed: build/stack/env is read, unless --url, SLUICE_URL, AWS_ENDPOINT_URL or AWS_PROFILE is set.

Exit codes: 0 done; 1 refused, or some logs not accepted or not accounted for; 2 wrong usage or a setting missing;
3 key or credentials not accepted; 4 no answer, try later; 130 interrupted.

Example: sluice apps create checkout && export SLUICE_API_KEY=$(sluice keys create checkout) && sluice send app.log
"""


class SluiceGroup(TyperGroup):
    """Takes the global options anywhere on the line, and reports expected failures in one line."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, global_options_first(args))

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            typer.secho(f"sluice: {error.line()}", err=True, fg=typer.colors.RED)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads has seen enough
                raise
            typer.secho(f"sluice: {error.strerror or error}", err=True, fg=typer.colors.RED)
            raise typer.Exit(1) from error


def global_options_first(args: list[str]) -> list[str]:
    """The arguments with --stage, --url and --key moved to the front; what follows "--" stays as it is."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word in _GLOBAL_OPTIONS:
            front += [word, *(value for value in [next(words, None)] if value is not None)]
        elif word.startswith(tuple(f"{option}=" for option in _GLOBAL_OPTIONS)):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


app = typer.Typer(
    cls=SluiceGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
)


@app.callback()
def start(
    context: typer.Context,
    stage: Annotated[str | None, typer.Option(help="Which deployment. Default: SLUICE_STAGE, else local.")] = None,
    url: Annotated[
        str | None, typer.Option(help="API URL. Default: SLUICE_URL, else asked of the stage's stack.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="API key. Default: SLUICE_API_KEY, which no list of processes shows.")
    ] = None,
) -> None:
    """Operate a Sluice log platform: applications and keys, sending logs, reading them back."""
    context.obj = Connections(environment.load(os.environ, Path.cwd(), stage=stage, url=url, key=key))


app.add_typer(apps.app, name="apps")
app.add_typer(keys.app, name="keys")
app.add_typer(dlq.app, name="dlq")
app.add_typer(alerts.app, name="alerts")
app.add_typer(channels.app, name="channels")
app.add_typer(mutings.silences, name="silences")
app.add_typer(mutings.maintenance, name="maintenance")
app.add_typer(archive.app, name="archive")
app.add_typer(retention.app, name="retention")
app.add_typer(erase.app, name="erase")
app.command(epilog="Example: sluice rehydrate --app checkout --since 2026-03-01 --until 2026-03-08")(archive.rehydrate)
app.command(epilog="Example: sluice send /var/log/app.log, or: journalctl -o cat | sluice send -")(send.send)
app.command(epilog="Example: sluice drain --until-empty")(drain.drain)
app.command(epilog="Example: sluice queue --watch")(queue.queue)
app.command(epilog="Example: sluice logs --since -1h 'level:error app:checkout \"connection refused\"'")(logs.logs)
app.command(epilog="Example: sluice tail -f 'level:>=warning app:checkout'")(tail.tail)
app.command(epilog="Example: sluice histogram --since -6h 'payment failed' --by application")(histogram.histogram)
app.command(epilog="Example: sluice templates --since -1h --order first_seen 'payment'")(templates.templates)
app.command(epilog="Example: sluice template 17")(templates.template)
app.command(epilog="Example: sluice change-template 17 --split")(templates.change_template)
app.add_typer(anomalies.app, name="anomalies")
app.command(epilog="Example: sluice diff 1.4.2 --against 1.4.1 --app checkout")(diff.diff)
app.command(epilog="Example: sluice show 01a20deee395dc58b9fc0fd42fbfb249-3 --context 10")(logs.show)
app.command(epilog="Example: sluice batch 01a20deee395dc58b9fc0fd42fbfb249")(batch.batch)
app.command(epilog="Example: sluice own-logs sluice --follow")(own_logs.own_logs)
app.command(epilog="Example: sluice ledger")(ledger.ledger)
app.command(epilog="Example: sluice status")(status.status)
app.command(epilog="""Example: sluice invoke query --event '{"action": "audit"}' --tail-logs""")(invoke.invoke)
app.command(epilog="Example: sluice load --rate 20 --batch 100 --duration 30 --shape mixed --gzip")(load.load)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="sluice")
