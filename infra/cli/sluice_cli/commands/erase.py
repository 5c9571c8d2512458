"""`sluice erase`: logs deleted on demand, with receipts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice_cli import connections
from sluice_cli.confirming import confirm
from sluice_cli.errors import SettingsError

if TYPE_CHECKING:
    from sluice_cli.invoke import Functions

type JsonObject = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="Deletion on demand, everywhere and for good, with receipts.")

_PAUSE_SECONDS = 2.0  # while logs are queued that may be meant

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command("logs", epilog="Example: sluice erase logs --app checkout --metadata user_id=42")
def logs(
    context: typer.Context,
    application: Annotated[str, typer.Option("--app", help="Whose logs.")],
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", help="KEY=VALUE: those whose metadata have this value; repeatable, all must hold."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All logs of the application.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")] = False,
    json: Json = False,
) -> None:
    """Delete logs from the log table, the archive, the dead letters and what quotes them.

    Meant are the logs accepted before now; logs that are still queued are stored first. If it is interrupted, the same
    command goes on. The receipt does not tell the values; whoever knows them can check it.
    """
    from sluice_cli import render

    if bool(metadata) == everything:
        raise SettingsError("Which logs?", "Give either --metadata KEY=VALUE or --all.")
    event: JsonObject = {"application": application, "metadata": dict(map(_pair, metadata or []))}
    if everything:
        event["all"] = True
    if not yes:
        confirm(f"Delete {'all logs' if everything else 'these logs'} of {application}, for good")
    functions = connections.current(context).functions()
    with render.messages().status("erasing") as status:
        answer = functions.archive("erase", **event)
        while answer["erasure"]["step"] != "done":
            status.update(f"at {answer['erasure']['step'].replace('_', ' ')}")
            _go_on(functions, answer)
            answer = functions.archive("erase", **event)
        status.update("at samples of the planner")
        functions.admin("forget_samples")
    if json:
        render.write_json(render.output(), answer["erasure"])
    else:
        _show(answer["erasure"])


@app.command("receipts", epilog="Example: sluice erase receipts")
def receipts(
    context: typer.Context,
    erasure: Annotated[str | None, typer.Argument(help="Id; without one, all are shown.", metavar="[ID]")] = None,
    json: Json = False,
) -> None:
    """Show the receipts of what was erased, the latest first."""
    from sluice_cli import render

    named = {} if erasure is None else {"id": erasure}
    found = connections.current(context).functions().archive("receipts", **named)["erasures"]
    if json:
        render.write_json(render.output(), found)
    for receipt in [] if json else found:
        _show(receipt)
    if not found:
        render.write_line(render.messages(), "Nothing was erased.")


def _go_on(functions: Functions, answer: JsonObject) -> None:
    """Has logs stored that are queued; another drain may be at it."""
    if answer["waits"]:
        functions.drain()
        time.sleep(_PAUSE_SECONDS)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise SettingsError(f"{text!r} is no condition", "Write KEY=VALUE, such as user_id=42.")
    return key, value


def _show(receipt: JsonObject) -> None:
    from sluice_cli import render

    what = ", ".join(receipt["metadata_keys"]) or "all logs"
    when = receipt["completed_at"] or f"not done: at {receipt['step'].replace('_', ' ')}"
    deleted = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in receipt["deleted"].items())
    for line in (
        f"{receipt['erasure_id']}  {receipt['application']}: {what}",
        f"  asked for {receipt['requested_at']}, done {when}",
        f"  deleted: {deleted or 'nothing was found'}",
        f"  digest {receipt['digest']}, checksum {receipt['checksum']}",
    ):
        render.write_line(render.output(), line)
