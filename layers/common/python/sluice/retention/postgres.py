"""Retention classes and rules in Postgres."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from psycopg2.extensions import cursor

from sluice.entries.model import Level
from sluice.errors import RejectedInput
from sluice.retention.parse import ClassChange, RetentionChange
from sluice.retention.route import Classes, portions
from sluice.runtime.postgres import Database
from sluice.streams.model import StreamEntry

MAX_CLASSES = 20
_LOCK_MILLISECONDS = 5_000
RULES_SECONDS = 10  # for which a change may go unnoticed where logs are stored

_CLASSES = """
SELECT class.name, retention_days AS hot_days, is_archived, archive_days,
       (SELECT count(*) FROM applications a WHERE a.retention_class = class.retention_class)
       + (SELECT count(DISTINCT application_id) FROM retention_rules r WHERE r.retention_class = class.retention_class
          AND NOT EXISTS (SELECT FROM applications a WHERE a.application_id = r.application_id
                          AND a.retention_class = class.retention_class)) AS application_count
FROM retention_classes class"""
_CREATE = """
INSERT INTO retention_classes (retention_class, name, retention_days, is_archived, archive_days)
SELECT max(retention_class) + 1, %(name)s, %(hot_days)s, %(is_archived)s, %(archive_days)s FROM retention_classes
RETURNING retention_class"""
_CHANGE = """
UPDATE retention_classes
SET retention_days = %(hot_days)s, is_archived = %(is_archived)s, archive_days = %(archive_days)s
WHERE name = %(name)s"""
_RULES = """
SELECT level, class.name FROM retention_rules JOIN retention_classes class USING (retention_class)
WHERE application_id = %s ORDER BY level"""
_SET_RULE = """
INSERT INTO retention_rules (application_id, level, retention_class) VALUES (%s, %s, %s)
ON CONFLICT (application_id, level) DO UPDATE SET retention_class = excluded.retention_class"""


class RetentionRules:
    """The rules as whoever stores logs needs them; a change is noticed within RULES_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: Mapping[int, Classes] = {}
        self._read_at: float | None = None

    def are_due(self) -> bool:
        """Whether they have to be read now."""
        return self._read_at is None or self._clock() - self._read_at > RULES_SECONDS

    def read(self, open_cursor: cursor) -> None:
        """Reads all of them."""
        open_cursor.execute("SELECT application_id, level, retention_class FROM retention_rules")
        found: dict[int, dict[int, int]] = {}
        for application_id, level, retention_class in open_cursor.fetchall():
            found.setdefault(application_id, {})[level] = retention_class
        self._known, self._read_at = found, self._clock()

    def portions(self, entry: StreamEntry) -> list[StreamEntry]:
        """The entry by the classes of its records, see ``portions``."""
        return portions(entry, self._known.get(entry.application_id, {}))

    def possible(self, entry: StreamEntry) -> list[StreamEntry]:
        """The entry in each class that records of it may be in."""
        classes = {entry.retention_class, *self._known.get(entry.application_id, {}).values()}
        return [replace(entry, retention_class=number) for number in classes] if len(classes) > 1 else [entry]


class PostgresRetention:
    """Classes and rules for their administrator. Answers are dicts ready for JSON; methods raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def classes(self) -> list[dict[str, Any]]:
        """All classes by name, with the number of applications that use them."""
        with self._database.transaction() as open_cursor:
            return _rows(open_cursor, f"{_CLASSES} ORDER BY name")

    def create(self, name: str, change: ClassChange) -> dict[str, Any]:
        """A new class. Raises RejectedInput ``retention_class_exists``, ``too_many_retention_classes``,
        ``invalid_hot_days``, ``invalid_archive_days``."""
        values = _checked({"is_archived": True, "archive_days": None, **change.values})
        with self._database.transaction() as open_cursor:
            open_cursor.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
            open_cursor.execute("LOCK TABLE retention_classes IN SHARE ROW EXCLUSIVE MODE")
            open_cursor.execute("SELECT count(*), count(*) FILTER (WHERE name = %s) FROM retention_classes", (name,))
            ((count, is_there),) = open_cursor.fetchall()
            if is_there:
                detail = f"there is a retention class {name!r} already"
                raise RejectedInput("retention_class_exists", detail, status=409)
            if count >= MAX_CLASSES:
                detail = f"there are {MAX_CLASSES} retention classes, each of which has its own partitions"
                raise RejectedInput("too_many_retention_classes", detail, status=409)
            open_cursor.execute(_CREATE, values | {"name": name})
            ((number,),) = open_cursor.fetchall()
            # With its branch of the log table, so that storing logs never has to lock the whole of it.
            open_cursor.execute("SELECT ensure_partition(%s::smallint, (now() AT TIME ZONE 'UTC')::date)", (number,))
            return _class(open_cursor, name)

    def change(self, name: str, change: ClassChange) -> dict[str, Any]:
        """The class after the change. Raises RejectedInput ``unknown_retention_class``, ``invalid_archive_days``."""
        with self._database.transaction() as open_cursor:
            found = _class(open_cursor, name, "FOR UPDATE OF class")
            open_cursor.execute(_CHANGE, _checked({**found, **change.values}))
            return _class(open_cursor, name)

    def of_application(self, application: str) -> dict[str, Any]:
        """The application's class, and those of levels that have another. Raises RejectedInput
        ``unknown_application``."""
        with self._database.transaction() as open_cursor:
            return _retention(open_cursor, application)

    def assign(self, application: str, change: RetentionChange) -> dict[str, Any]:
        """The same after a change. Raises RejectedInput ``unknown_retention_class``, too."""
        with self._database.transaction() as open_cursor:
            application_id, _ = _application(open_cursor, application, "FOR UPDATE OF a")
            if change.retention_class is not None:
                number = _number(open_cursor, change.retention_class)
                open_cursor.execute(
                    "UPDATE applications SET retention_class = %s WHERE application_id = %s", (number, application_id)
                )
            for level, name in change.levels.items():
                if name is None:
                    open_cursor.execute(
                        "DELETE FROM retention_rules WHERE application_id = %s AND level = %s", (application_id, level)
                    )
                else:
                    open_cursor.execute(_SET_RULE, (application_id, level, _number(open_cursor, name)))
            return _retention(open_cursor, application)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("hot_days") is None:
        raise RejectedInput("invalid_hot_days", "hot_days must be a whole number")
    if values["archive_days"] is not None and values["archive_days"] <= values["hot_days"]:
        raise RejectedInput("invalid_archive_days", "archive_days count from receipt on: more than hot_days, or null")
    return values


def _class(open_cursor: cursor, name: str, lock: str = "") -> dict[str, Any]:
    rows = _rows(open_cursor, f"{_CLASSES} WHERE name = %s {lock}", name)
    if not rows:
        raise _unknown_class(name)
    return rows[0]


def _number(open_cursor: cursor, name: str) -> int:
    open_cursor.execute("SELECT retention_class FROM retention_classes WHERE name = %s", (name,))
    row = open_cursor.fetchone()
    if row is None:
        raise _unknown_class(name)
    return int(row[0])


def _unknown_class(name: str) -> RejectedInput:
    return RejectedInput("unknown_retention_class", f"there is no retention class {name[:40]!r}", status=404)


def _application(open_cursor: cursor, name: str, lock: str = "") -> tuple[int, str]:
    open_cursor.execute(
        "SELECT application_id, class.name FROM applications a JOIN retention_classes class USING (retention_class)"
        f" WHERE a.name = %s {lock}",
        (name,),
    )
    row = open_cursor.fetchone()
    if row is None:
        raise RejectedInput("unknown_application", "there is no such application", status=404)
    return row[0], row[1]


def _retention(open_cursor: cursor, application: str) -> dict[str, Any]:
    application_id, own = _application(open_cursor, application)
    open_cursor.execute(_RULES, (application_id,))
    levels = {Level(level).name: name for level, name in open_cursor.fetchall()}
    return {"application": application, "retention_class": own, "levels": levels}


def _rows(open_cursor: cursor, sql: str, *values: Any) -> list[dict[str, Any]]:
    open_cursor.execute(sql, values)
    names = [column.name for column in open_cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in open_cursor.fetchall()]
