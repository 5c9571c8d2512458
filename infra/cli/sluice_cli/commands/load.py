"""`sluice load`: a load tester that shows the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.environment import is_loopback
from sluice_cli.errors import DeniedError, SettingsError
from sluice_cli.loading.payloads import Shape, make_bodies
from sluice_cli.loading.schedule import Schedule
from sluice_cli.retry import RetryPolicy

if TYPE_CHECKING:
    from sluice_cli.api import Api
    from sluice_cli.loading.balance import Balance
    from sluice_cli.loading.generator import Generator

type JsonObject = dict[str, Any]

_LIVE_SECONDS = 0.5
_POLL_SECONDS = 1.0
_INTERRUPTED = 130  # as a shell reports Ctrl-C
_GOOD_CLIENT = RetryPolicy(attempts=8)


def load(
    context: typer.Context,
    rate: Annotated[float, typer.Option(help="Requests per second (logs per second: times --batch).", min=0.01)] = 10.0,
    batch: Annotated[int, typer.Option(help="Logs in one request.", min=1, max=10_000)] = 100,
    duration: Annotated[float, typer.Option(help="Seconds.", min=0.1)] = 10.0,
    concurrency: Annotated[int, typer.Option(help="Connections, each in a thread.", min=1, max=1000)] = 8,
    shape: Annotated[Shape, typer.Option(help="What the logs look like.")] = Shape.mixed,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the bodies.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Repeat what is answered 429 or 503, as a good client would.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed sends the same logs.")] = 1,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all that was accepted is stored.")] = True,
    wait_seconds: Annotated[float, typer.Option(help="How long at most.", min=0)] = 120.0,
    application: Annotated[
        str | None, typer.Option("--app", help="Application of the key; for a key of scope admin, which sees all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Needed for a URL that is not on this machine.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Send made-up logs at a fixed rate and show latencies, refusals, and whether the ledger balances.

    The schedule is an open loop: requests are due at an even pace, whatever became of those before, and latency counts
    from when a request was due. A platform that stalls for a second therefore shows it in all requests of that second.
    Nothing is retried without --retry: 429 and 503 are counted.

    One process sends up to 2,000 requests a second in time, and 3,000 at most (measured against a server on the same
    two cores that does nothing); a warning tells when the generator may have been the limit. Proxies are not used.

    The key needs the scope ingest, and read for the ledger. Ctrl-C ends it and prints what was counted so far.

    Ends with exit code 1 if anything was refused, not sent, lost or not balanced.
    """
    from sluice_cli import load_view, render
    from sluice_cli.loading.generator import Generator
    from sluice_cli.loading.summary import is_clean, summarise

    chosen = connections.current(context)
    api = chosen.api()
    if not is_loopback(api.url) and not yes:
        text = f"{rate:g} requests a second for {duration:g} s would go to {api.url}, which is not on this machine"
        raise SettingsError(text, "Give --yes if that is what you want; its logs stay stored, and may cost money.")
    key = chosen.environment.key
    before = _ledger(api)  # the first call, so that a wrong key or a missing one ends it here
    schedule = Schedule(rate, duration)
    generator = Generator(
        schedule,
        make_bodies(shape, batch, seed, gzipped=gzip),
        concurrency,
        _connector(api.url, key or "", gzipped=gzip, policy=_GOOD_CLIENT if retry else None),
    )
    is_complete = _run(generator)
    processor_share = generator.processor_share()
    generator.finish(is_interrupted=not is_complete)
    balance = None
    if before is not None and is_complete:
        balance, is_complete = _settle(api, before, application, generator, wait_seconds if wait else 0.0)
    outcome = "complete" if is_complete else "interrupted"
    summary = summarise(schedule, batch, generator.tally, processor_share, balance, outcome)
    if json:
        render.write_json(render.output(), summary)
    else:
        render.output().print(load_view.view(summary))
    if before is None:
        render.write_line(render.messages(), "The ledger was not checked: the key has not the scope read.", "yellow")
    if not is_complete:
        render.write_line(render.messages(), "Interrupted: these are the numbers so far.", "yellow")
        raise typer.Exit(_INTERRUPTED)
    if not is_clean(summary) or (wait and balance is not None and not balance.is_settled()):
        raise typer.Exit(1)


def _connector(url: str, key: str, *, gzipped: bool, policy: RetryPolicy | None) -> Callable[[], Any]:
    from sluice_cli.loading.client import Connection

    return lambda: Connection(url, key, gzipped=gzipped, policy=policy)


def _ledger(api: Api) -> JsonObject | None:
    """The ledger's counts, None for a key that may not read. Raises the other CliErrors."""
    try:
        return api.ledger()
    except DeniedError as error:
        if "missing_scope" in error.message:
            return None
        raise


def _run(generator: Generator) -> bool:
    """Runs to the end, with a live line on a terminal; False if interrupted."""
    from sluice_cli import load_view, render

    console = render.messages()
    try:
        with console.status("starting") as status:
            generator.start()
            while not generator.wait(_LIVE_SECONDS):
                status.update(load_view.progress_line(generator))
    except KeyboardInterrupt:
        return False
    return True


def _settle(
    api: Api, before: JsonObject, application: str | None, generator: Generator, wait_seconds: float
) -> tuple[Balance, bool]:
    """The ledger's growth once everything is stored or the time is up; False if interrupted meanwhile."""
    from sluice_cli import render
    from sluice_cli.loading.balance import compare

    balance = compare(before, api.ledger(), application)
    deadline = time.monotonic() + wait_seconds
    try:
        with render.messages().status("waiting for storage") as status:
            while not balance.is_settled() and time.monotonic() < deadline:
                status.update(f"waiting for storage: {balance.stored:,} of {generator.tally.accepted_logs:,} logs")
                time.sleep(_POLL_SECONDS)
                balance = compare(before, api.ledger(), application)
    except KeyboardInterrupt:
        return balance, False
    return balance, True
