"""`sluice alerts`: what fires, and the rules by which it does."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from sluice_cli.commands.reading import Application, AsJson, explained, open_api
from sluice_cli.errors import SettingsError
from sluice_cli.rule_text import EXAMPLES, read_rule_text
from sluice_cli.times import past_moment

app = typer.Typer(no_args_is_help=True, help="Alerts: what fires, who is on it, and the rules.")
rules = typer.Typer(no_args_is_help=True, help="Alert rules: list, make, change, try and switch them.")
app.add_typer(rules, name="rules")

_PAGE = 500
Incident = Annotated[
    str, typer.Argument(help="Id, or its beginning, as `sluice alerts list` shows it.", metavar="INCIDENT")
]
Rule = Annotated[str, typer.Argument(help="Id or name, as `sluice alerts rules list` shows it.", metavar="RULE")]
Text = Annotated[
    str,
    typer.Argument(
        help=f"What it says, e.g. {EXAMPLES[0]!r}; see `sluice alerts rules create --help`.", metavar="SAYS"
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", help="NAME=VALUE for routes and silences, repeatable.", metavar="NAME=VALUE"),
]
# Members that a line need not have.
_LEFT_OUT = ("for_seconds", "group_by", "above", "below", "resolve_above", "resolve_below", "per", "of_query")
_FORMS = "Rules are written: " + "; ".join(EXAMPLES)


class Severity(StrEnum):
    """How bad it is."""

    info = "info"
    warning = "warning"
    critical = "critical"


class Status(StrEnum):
    """Which incidents to show."""

    firing = "firing"
    resolved = "resolved"
    all = "all"


class DeliveryStatus(StrEnum):
    """What may become of an event on a channel."""

    pending = "pending"
    delivered = "delivered"
    failed = "failed"
    held = "held"
    silenced = "silenced"
    skipped = "skipped"


@app.command("list", epilog="Example: sluice alerts list --status all --since -1d")
def list_(
    context: typer.Context,
    status: Annotated[Status, typer.Option(help="Which to show.")] = Status.firing,
    severity: Annotated[Severity | None, typer.Option(help="Only of this severity.")] = None,
    since: Annotated[str | None, typer.Option(help="That fired at this time or later: -2h, -7d or RFC 3339.")] = None,
    application: Application = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=500)] = 50,
    json: AsJson = False,
) -> None:
    """List incidents, the newest first: by default those that fire now."""
    from sluice_cli import alerts_view, render

    asked = {"limit": str(limit)}
    asked |= {"status": status.value} if status is not Status.all else {}
    asked |= {"severity": severity.value} if severity else {}
    asked |= {"application": application} if application else {}
    asked |= {"since": past_moment(since, datetime.now(UTC))} if since else {}
    found = open_api(context).incidents(asked)["incidents"]
    console = render.output()
    if json or not console.is_terminal:
        for incident in found:
            render.write_json(console, incident)
    elif found:
        console.print(alerts_view.incident_table(found))
    else:
        nothing = "Nothing fires." if status is Status.firing else "No incidents in this time."
        render.write_line(render.messages(), f"{nothing} The rules: sluice alerts rules list")


@app.command("show", epilog="Example: sluice alerts show 6f1c2a9b")
def show(context: typer.Context, incident: Incident, json: AsJson = False) -> None:
    """Show an incident, and what was told of it."""
    from sluice_cli import alerts_view, render

    api = open_api(context)
    found = api.incident(_whole_id(api, incident))
    console = render.output()
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    for line in alerts_view.incident_lines(found):
        console.print(line, soft_wrap=True)


@app.command("ack", epilog="Example: sluice alerts ack 6f1c2a9b --note 'rolling back'")
def ack(
    context: typer.Context,
    incident: Incident,
    note: Annotated[str | None, typer.Option(help="What you are doing about it.")] = None,
    json: AsJson = False,
) -> None:
    """Say that you are on it; who was first stays."""
    from sluice_cli import render

    api = open_api(context)
    found = api.acknowledge(_whole_id(api, incident), note)["incident"]
    if json:
        render.write_json(render.output(), found)
        return
    by = f"key {found['acknowledged_by']}, at {render.second(found['acknowledged_at'])}"
    render.write_line(render.output(), f"{found['title']}: acknowledged by {by}.")


@rules.command("list", epilog="Example: sluice alerts rules list --app checkout")
def list_rules(context: typer.Context, application: Application = None, json: AsJson = False) -> None:
    """List the rules, and what each is at."""
    from sluice_cli import alerts_view, render

    found = list(open_api(context).rules(application))
    console = render.output()
    if json or not console.is_terminal:
        for rule in found:
            render.write_json(console, rule)
        return
    console.print(alerts_view.rule_table(found))


@rules.command("show", epilog="Example: sluice alerts rules show 'Payments fail'")
def show_rule(context: typer.Context, rule: Rule, application: Application = None, json: AsJson = False) -> None:
    """Show a rule in full."""
    from sluice_cli import alerts_view, render

    found = _find(open_api(context), rule, application)
    console = render.output()
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    for line in alerts_view.rule_lines(found):
        console.print(line, soft_wrap=True)


@rules.command(
    "create", epilog=f"Example: sluice alerts rules create 'Payments fail' 'service:pay {EXAMPLES[0]}'. {_FORMS}"
)
def create_rule(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the incidents are called.", metavar="NAME")],
    says: Text,
    severity: Annotated[Severity, typer.Option(help="How bad it is.")] = Severity.warning,
    label: Labels = None,
    application: Application = None,
    off: Annotated[bool, typer.Option("--off", help="Do not switch it on yet.")] = False,
    json: AsJson = False,
) -> None:
    """Make a rule. Try it first: `sluice alerts test 'level:>=error > 50 in 1m' --since -7d`."""
    members = {
        "name": name,
        **read_rule_text(says),
        "severity": severity.value,
        "labels": _labels(label),
        "enabled": not off,
    }
    api = open_api(context)
    with explained(members["query"]):
        rule = api.create_rule(members | ({"application": application} if application else {}))["rule"]
    _report(rule, json, "created" + (", switched off" if off else ""))


@rules.command(
    "edit", epilog="Example: sluice alerts rules edit 17 --says 'level:>=error > 80 in 1m' --severity critical"
)
def edit_rule(
    context: typer.Context,
    rule: Rule,
    says: Annotated[str | None, typer.Option(help="What it says from now on; what fires is resolved.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Another severity.")] = None,
    label: Labels = None,
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Change a rule; what you do not name stays. Labels are replaced as a whole."""
    members: dict[str, Any] = {"name": name} if name else {}
    members |= {"severity": severity.value} if severity else {}
    members |= {"labels": _labels(label)} if label else {}
    if not members and says is None:
        raise SettingsError("Nothing to change", "Give --says, --name, --severity or --label.")
    api = open_api(context)
    known = _find(api, rule, application)
    if says is not None:
        said = read_rule_text(says)
        # What the line leaves out has its default again.
        members |= dict.fromkeys(_LEFT_OUT) | said
    with explained(members.get("query")):
        _report(api.change_rule(known["id"], members)["rule"], json, "changed")


@rules.command("enable", epilog="Example: sluice alerts rules enable 17")
def enable_rule(context: typer.Context, rule: Rule, application: Application = None, json: AsJson = False) -> None:
    """Switch a rule on; it is judged from the next window on."""
    api = open_api(context)
    _report(api.change_rule(_find(api, rule, application)["id"], {"enabled": True})["rule"], json, "switched on")


@rules.command("disable", epilog="Example: sluice alerts rules disable 17")
def disable_rule(context: typer.Context, rule: Rule, application: Application = None, json: AsJson = False) -> None:
    """Switch a rule off; what fires is resolved."""
    api = open_api(context)
    _report(api.change_rule(_find(api, rule, application)["id"], {"enabled": False})["rule"], json, "switched off")


@rules.command("delete", epilog="Example: sluice alerts rules delete 17")
def delete_rule(context: typer.Context, rule: Rule, application: Application = None, json: AsJson = False) -> None:
    """Delete a rule; its incidents stay. Default rules can only be switched off."""
    api = open_api(context)
    _report(api.delete_rule(_find(api, rule, application)["id"])["deleted"], json, "deleted")


@app.command("test", epilog=f"Example: sluice alerts test '{EXAMPLES[0]}' --since -7d. {_FORMS}")
@rules.command("test", epilog=f"Example: sluice alerts rules test '{EXAMPLES[0]}' --since -7d. {_FORMS}")
def try_rule(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(help="Id or name of a rule, or what one would say.", metavar="RULE")],
    since: Annotated[str, typer.Option(help="From this time on: -1h, -7d or RFC 3339.")] = "-1d",
    until: Annotated[str | None, typer.Option(help="Up to this time. Default: now.")] = None,
    application: Application = None,
    json: AsJson = False,
) -> None:
    """Show when a rule would have fired, by what is stored. Nothing is changed, nobody is told."""
    from sluice_cli import render

    now = datetime.now(UTC)
    api = open_api(context)
    tested, query = _tested(api, rule, application)
    asked: dict[str, Any] = {"rule": tested, "since": past_moment(since, now)}
    asked |= {"until": past_moment(until, now)} if until else {}
    asked |= {"application": application} if application else {}
    with explained(query):
        found = _whole_test(api, asked)
    console = render.output()
    if json or not console.is_terminal:
        render.write_json(console, found)
        return
    _show_test(found, asked["since"])


def _show_test(found: dict[str, Any], since: str) -> None:
    from sluice_cli import alerts_view, render

    console = render.output()
    for line in alerts_view.timeline_lines(found["timeline"], since, console.width):
        console.print(line, soft_wrap=True)
    episodes = found["would_fire"]
    if episodes:
        console.print(alerts_view.episode_table(episodes))
    times = "once" if len(episodes) == 1 else f"{len(episodes)} times" if episodes else "never"
    render.write_line(console, f"It would have fired {times}: {found['evaluations']:,} windows judged.", "bold")
    if found["groups_cut"]:
        render.write_line(render.messages(), "Only the 100 most frequent groups were judged.", "yellow")


def _whole_test(api: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """The test from end to end, answer by answer, with its progress on a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from sluice_cli import render

    messages = render.messages()
    start = datetime.fromisoformat(asked["since"])
    end = datetime.fromisoformat(asked["until"]) if "until" in asked else datetime.now(UTC)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    whole: dict[str, Any] = {}
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("judging", total=max((end - start).total_seconds(), 1.0))
        cursor: dict[str, str] = {}
        while not whole or cursor:
            part = api.test_rule(asked | cursor)
            if whole:
                for name in ("would_fire", "timeline"):
                    whole[name] += part[name]
                whole["evaluations"] += part["evaluations"]
                whole["groups_cut"] = whole["groups_cut"] or part["groups_cut"]
            else:
                whole = dict(part)
            reached = datetime.fromisoformat(part["evaluated_until"])
            progress.update(task, completed=(reached - start).total_seconds())
            cursor = {"cursor": part["next_cursor"]} if part["next_cursor"] else {}
    return {name: value for name, value in whole.items() if name not in ("next_cursor", "truncated", "evaluated_until")}


def _tested(api: Any, rule: str, application: str | None) -> tuple[Any, str]:
    """A stored rule's id, or the members of one that is written out; and the query, to show a mistake in it."""
    known = _named(api, rule, application)
    if known is not None:
        return known["id"], known.get("query", "")
    members = read_rule_text(rule)
    return members, members["query"]


def _named(api: Any, rule: str, application: str | None) -> dict[str, Any] | None:
    if rule.isascii() and rule.isdigit():
        found: dict[str, Any] = api.rule(int(rule))["rule"]
        return found
    same = [one for one in api.rules(application) if one["name"] == rule]
    if len(same) > 1:
        told = ", ".join(f"{one['id']} ({one['application']})" for one in same)
        raise SettingsError(f"Several rules are called {rule!r}: {told}", "Give the id, or --app.")
    return same[0] if same else None


def _find(api: Any, rule: str, application: str | None) -> dict[str, Any]:
    found = _named(api, rule, application)
    if found is None:
        raise SettingsError(f"There is no rule {rule!r}", "See `sluice alerts rules list` for ids and names.")
    return found


def _whole_id(api: Any, beginning: str) -> str:
    """The id that begins so. Raises SettingsError where none does, or several do."""
    if len(beginning) >= 32:
        return beginning
    ids = {one["id"] for one in api.incidents({"limit": str(_PAGE)})["incidents"] if one["id"].startswith(beginning)}
    if len(ids) != 1:
        told = (
            f"{len(ids)} of the latest incidents begin with {beginning!r}"
            if ids
            else f"There is no incident {beginning!r}"
        )
        raise SettingsError(told, "Give the whole id: `sluice alerts list --status all --json` has it.")
    return str(ids.pop())


def _labels(given: list[str] | None) -> dict[str, str]:
    pairs = [text.partition("=") for text in given or []]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise SettingsError(f"{name!r} is no label", "Write --label team=payments.")
    return {name: value for name, _, value in pairs}


@app.command("deliveries", epilog="Example: sluice alerts deliveries --status failed")
def deliveries(
    context: typer.Context,
    incident: Annotated[str | None, typer.Option(help="Only of this incident: its id.")] = None,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only with this status.")] = None,
    application: Application = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=500)] = 50,
    json: AsJson = False,
) -> None:
    """Show what became of events on their channels, the newest first: who was told, who was not, and why."""
    from sluice_cli import channels_view, render

    api = open_api(context)
    asked = {"limit": str(limit)}
    asked |= {"incident": _whole_id(api, incident)} if incident else {}
    asked |= {"status": status.value} if status else {}
    asked |= {"application": application} if application else {}
    found = api.deliveries(asked)["deliveries"]
    console = render.output()
    if json or not console.is_terminal:
        for delivery in found:
            render.write_json(console, delivery)
    elif found:
        console.print(channels_view.delivery_table(found))
    else:
        render.write_line(render.messages(), "Nothing was to be told. The channels: sluice channels list")


def _report(rule: dict[str, Any], json: bool, done: str) -> None:
    from sluice_cli import render
    from sluice_cli.rule_text import rule_text

    if json:
        render.write_json(render.output(), rule)
        return
    render.write_line(
        render.output(), f"Rule {rule['id']} {rule['name']!r} of {rule['application']} {done}: {rule_text(rule)}"
    )
