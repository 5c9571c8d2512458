"""Everything that is printed: tables and coloured lines for people, plain text and NDJSON for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

type JsonObject = dict[str, Any]

LEVEL_STYLES = {"DEBUG": "dim", "INFO": "", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
LEDGER_COUNTS = ("accepted", "stored", "duplicate", "dead_lettered", "in_flight", "unaccounted")
LIMITS = {"requests_per_second": "req/s", "bytes_per_second": "bytes/s", "bytes_per_day": "bytes/day"}
# Wide enough that no table is cut when it goes into a file or another program.
_PIPE_COLUMNS = 1000


def output() -> Console:
    """Standard output. Colours and the terminal's width only if it is a terminal."""
    return _console(stderr=False)


def messages() -> Console:
    """Standard error, for progress, notes and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if is_terminal else _PIPE_COLUMNS)


def write_json(console: Console, value: object) -> None:
    """One line of JSON: in a pipe with text as it is, to be searched; on a terminal in ASCII, which cannot steer it."""
    console.file.write(json.dumps(value, ensure_ascii=console.is_terminal, separators=(",", ":")) + "\n")


def write_line(console: Console, text: str, style: str = "") -> None:
    """One line that is neither wrapped nor interpreted as markup."""
    console.print(Text(printable(text), style=style), soft_wrap=True)


def printable(text: str) -> str:
    """Text from outside with its control characters made visible, so that it cannot steer the terminal."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    code = ord(character)
    is_control = (code < 0x20 and character not in "\n\t") or 0x7F <= code < 0xA0
    # Besides controls: lone surrogates cannot be written, and bidirectional overrides reorder what is around them.
    is_harmful = is_control or 0xD800 <= code <= 0xDFFF or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
    return character.encode("unicode_escape").decode() if is_harmful else character


def make_table(headings: Sequence[str], rows: Iterable[Sequence[str]], numeric: bool = False) -> Table:
    """A table without a frame; `numeric` sets all columns but the first flush right."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    for position, heading in enumerate(headings):
        is_number = numeric and position > 0
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def application_table(applications: Iterable[JsonObject]) -> Table:
    """Applications with their number of live keys, and what they may send."""
    return make_table(
        ("application", "status", "retention", "keys", "created", *LIMITS.values()),
        (
            (
                str(entry["name"]),
                str(entry["status"]),
                str(entry.get("retention_class", "")),
                str(entry.get("key_count", "")),
                minute(entry.get("created_at")),
                *(_limit(entry.get("limits", {}).get(name), "-") for name in LIMITS),
            )
            for entry in applications
        ),
    )


def limit_table(limits: Mapping[str, int | None]) -> Table:
    """What one application may send."""
    rows = ((name.replace("_", " "), _limit(limits[name], "the deployment's default")) for name in LIMITS)
    return make_table(("limit", "value"), rows)


def _limit(value: int | None, default: str) -> str:
    return default if value is None else f"{value:,}"


def key_table(keys: Iterable[JsonObject]) -> Table:
    """Keys of one application; the secrets are not known to anybody but their holders."""
    return make_table(
        ("key id", "description", "scopes", "status", "created", "last used", "expires", "rotated to"),
        (
            (
                str(entry["key_id"]),
                entry.get("description") or "",
                " ".join(entry["scopes"]),
                str(entry["status"]),
                minute(entry.get("created_at")),
                minute(entry.get("last_used_at")) or "never",
                minute(entry.get("expires_at")) or "never",
                entry.get("rotated_to") or "",
            )
            for entry in keys
        ),
    )


def dead_letter_table(letters: Iterable[JsonObject]) -> Table:
    """Dead letters; the log's id is the one that its sender was given, "" for an entry that nobody could read."""
    return make_table(
        ("id", "dead-lettered", "application", "reason", "attempts", "log", "detail"),
        (
            (
                str(entry["id"]),
                second(entry["dead_lettered_at"]),
                str(entry["application"] or ""),
                str(entry["reason"]),
                str(entry["attempts"]),
                "" if entry["batch_id"] is None else f"{entry['batch_id']}-{entry['position']}",
                str(entry["detail"]),
            )
            for entry in letters
        ),
    )


def ledger_table(ledger: JsonObject) -> Table:
    """The ledger's counts per application, with the total below."""
    headings = ("application", "accepted", "stored", "duplicate", "dead\nlettered", "in\nflight", "un-\naccounted")
    table = make_table(headings, (_ledger_row(entry) for entry in ledger["applications"]), numeric=True)
    table.add_section()
    style = "bold red" if ledger["total"]["unaccounted"] else "bold"
    table.add_row(*_ledger_row({**ledger["total"], "application": "total"}), style=style)
    return table


def batch_table(batch: JsonObject) -> Table:
    """What became of a request, part by part."""
    rows = [
        (
            f"{item['part']}",
            second(item["stored_at"]),
            *(f"{item[name]:,}" for name in ("record_count", "stored", "duplicate", "dead_lettered")),
            f"{item['shard']}/{item['entry_id']}",
        )
        for item in batch["parts"]
    ]
    if batch["queued"]:
        rows.append(("", "in the queue", f"{batch['queued']:,}", "", "", "", ""))
    headings = ("part", "stored at", "logs", "stored", "duplicate", "dead-lettered", "entry")
    table = make_table(headings, rows)
    received = f"received {second(batch['received_at'])}" if batch["received_at"] else ""
    about = (batch["batch_id"], batch["application"], received, batch["traceparent"])
    table.title = Text(printable(" · ".join(filter(None, about))))
    table.title_justify = "left"
    return table


def batch_letter_table(letters: Iterable[JsonObject]) -> Table:
    """The dead letters of a request."""
    rows = [
        (
            str(letter["id"]),
            "" if letter["position"] is None else str(letter["position"]),
            letter["reason"],
            letter["status"],
            second(letter["dead_lettered_at"]),
        )
        for letter in letters
    ]
    return make_table(("dead letter", "position", "reason", "status", "since"), rows)


def template_table(templates: Iterable[JsonObject]) -> Table:
    """Templates; where somebody named one, its name is before its text."""
    rows = [
        (
            str(template["id"]),
            template["application"],
            f"{template['count']:,}",
            f"{template['share']:.1%}",
            " ".join(f"{name} {count:,}" for name, count in template["levels"].items()),
            minute(template["last_seen"]),
            " · ".join(filter(None, (template["name"], template["text"]))),
        )
        for template in templates
    ]
    return make_table(("id", "application", "logs", "share", "levels", "last seen", "template"), rows)


def place_table(places: Iterable[JsonObject]) -> Table:
    """What stands in the places of a template, from left to right."""
    rows = []
    for place in places:
        number = place["number"]
        bounds = f"{number['least']:g} to {number['most']:g}, mean {number['mean']:g}" if number else ""
        top = ", ".join(f"{value['value']} ({value['count']})" for value in place["top"][:5])
        rows.append((f"{place['distinct']:,}", top, bounds))
    return make_table(("distinct", "most frequent", "numbers"), rows)


def span_lines(diff: JsonObject) -> list[str]:
    """Between which logs a diff was made, service by service."""
    lines = []
    for span in diff["spans"]:
        before, after = span["before"], span["after"]
        versions = ", ".join(before["versions"]) or "logs without a version"
        service = f"{span['service']} " if span["service"] else ""
        told = f"{after['logs']:,} logs since {minute(after['since'])} against {before['logs']:,} of {versions}"
        lines.append(f"{diff['application']}: {service}{diff['version']}, {told}, since {minute(before['since'])}")
    return lines


def anomaly_table(anomalies: Iterable[JsonObject]) -> Table:
    """Anomalies, as they come."""
    rows = [
        (
            "" if anomaly["id"] is None else str(anomaly["id"]),
            anomaly["application"],
            minute(anomaly["onset"]),
            anomaly["status"] + (" (corrected)" if anomaly["corrected"] else ""),
            f"{anomaly['score']:.2f}",
            anomaly["sentence"] + (f" [{anomaly['feedback']}]" if anomaly["feedback"] else ""),
        )
        for anomaly in anomalies
    ]
    return make_table(("id", "application", "since", "status", "score", "what was unusual"), rows)


def change_table(diff: JsonObject) -> Table:
    """What a version changed, the strongest of each kind first."""
    rows = [
        (title, str(change["template"]["id"]), f"{change['before']:,}", f"{change['after']:,}", change["sentence"])
        for title, changes in (("new", diff["only_new"]), ("gone", diff["gone"]), ("changed", diff["changed"]))
        for change in changes
    ]
    return make_table(("", "template", "before", "after", "what happened"), rows)


def _ledger_row(entry: Mapping[str, Any]) -> list[str]:
    return [str(entry["application"]), *(f"{entry[count]:,}" for count in LEDGER_COUNTS)]


def log_lines(log: Mapping[str, Any]) -> Text:
    """One stored log as "time level application message"; further lines of a message are set in."""
    level = str(log["level"])
    style = LEVEL_STYLES.get(level, "")
    message = printable(str(log["message"])).replace("\n", "\n    ")
    return Text.assemble(
        (printable(second(log["timestamp"])), "dim"),
        "  ",
        (f"{level:<8}", style),
        "  ",
        (printable(str(log["application"])), "cyan"),
        "  ",
        (message, style),
    )


def whole_log(log: Mapping[str, Any]) -> Text:
    """One log with everything it holds, below its line."""
    shown = Text.assemble(("> ", "bold"), log_lines(log))
    for name, value in log.items():
        if name not in ("timestamp", "level", "application", "message", "metadata"):
            shown.append(f"\n    {printable(name)}: ", "dim")
            shown.append(printable(value if isinstance(value, str) else json.dumps(value)))
    if log.get("metadata"):
        text = json.dumps(log["metadata"], ensure_ascii=False, indent=2)
        shown.append("\n    metadata: ", "dim")
        shown.append(printable(text).replace("\n", "\n    "))
    return shown


_SERIES_STYLES = ("cyan", "magenta", "green", "blue", "yellow", "red")
_BLOCKS = " ▏▎▍▌▋▊▉"


def histogram_lines(counts: JsonObject, width: int) -> Iterator[Text]:
    """A row for each interval: when it begins, a bar with a piece for each series, and the number; then which is which,
    with each series' sum in words, since not everybody tells the colours apart."""
    series = counts["series"]
    styles = {
        item["value"]: LEVEL_STYLES.get(str(item["value"]), _SERIES_STYLES[number % len(_SERIES_STYLES)])
        for number, item in enumerate(series)
    }
    sums = [sum(item["counts"][number] for item in series) for number in range(len(counts["starts"]))]
    most = max(sums, default=0)
    columns = max(width - 21 - len(f"{most:,}"), 10)
    for number, start in enumerate(counts["starts"]):
        line = Text.assemble((f"{second(start)} ", "dim"))
        for item in series:
            line.append(_bar(item["counts"][number], most, columns), styles[item["value"]])
        line.append(f" {sums[number]:,}")
        yield line
    legend = Text.assemble((f"{counts['total']:,} logs", "bold"))
    for item in series:
        if item["value"] is not None:
            legend.append("   █ ", styles[item["value"]])
            legend.append(f"{printable(str(item['value']))} {sum(item['counts']):,}")
    yield legend


def _bar(count: int, most: int, columns: int) -> str:
    eighths = round(count * columns * 8 / most) if most else 0
    if count and not eighths:
        eighths = 1
    return "█" * (eighths // 8) + (_BLOCKS[eighths % 8] if eighths % 8 else "")


def minute(moment: str | None) -> str:
    """RFC 3339 as "2026-11-24 13:48", "" for None."""
    return moment[:16].replace("T", " ") if moment else ""


def second(moment: str) -> str:
    """RFC 3339 as "2026-11-24 13:48:56"; all the API's times are UTC."""
    return moment[:19].replace("T", " ")
