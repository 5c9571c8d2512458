"""What operators ask of the archive."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sluice.archive.lines import check_content
from sluice.archive.model import StoredObject
from sluice.archive.ports import ObjectStore
from sluice.archive.postgres_reads import PostgresArchiveReads
from sluice.errors import ContractError, RejectedInput

type Members = Mapping[str, Any]

MAX_DAYS = 1_000
_OBJECTS_AT_ONCE = 100
_DAYS_AT_ONCE = 50
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Overview:
    """One public method per action; each takes the event and whether there is time left."""

    archive: PostgresArchiveReads
    objects: ObjectStore

    def days(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """The days that left the log table, and those on their way, the latest first."""
        application = read_text(event, "application")
        application_id = None if application is None else self.archive.application_id(application)
        since, until = read_day(event, "since"), read_day(event, "until")
        return {"days": self.archive.days(application_id, since, until, MAX_DAYS)}

    def verify(self, event: Members, has_time: Callable[[], bool]) -> dict[str, Any]:
        """Reads objects behind the id ``after`` and compares them with the manifest; behind the last one, the manifest
        with the ledger. ``next`` is where the next call goes on; None: that was all."""
        after = event.get("after", 0)
        if type(after) is not int or after < 0:
            raise RejectedInput("invalid_after", "after must be the number that the call before answered as next")
        problems: list[dict[str, str]] = []
        objects = rows = 0
        while found := self.archive.objects(after, _OBJECTS_AT_ONCE):
            for item in found:
                problems += self._problems(item)
                objects, rows, after = objects + 1, rows + item.row_count, item.object_id
                if not has_time() or len(problems) >= _MAX_PROBLEMS:
                    return {"objects": objects, "rows": rows, "problems": problems, "next": after}
        problems += self._unbalanced()
        return {"objects": objects, "rows": rows, "problems": problems[:_MAX_PROBLEMS], "next": None}

    def _problems(self, item: StoredObject) -> list[dict[str, str]]:
        data = self.objects.get(item.key)
        if data is None:
            return [{"what": item.key, "detail": "it is not there"}]
        try:
            check_content(data, sha256=item.sha256, row_count=item.row_count)
        except ContractError as error:
            return [{"what": item.key, "detail": error.detail}]
        return []

    def _unbalanced(self) -> list[dict[str, str]]:
        problems = [
            {
                "what": f"class {name}, {day}, application {application_id}",
                "detail": f"objects hold {found} rows of {expected} that left the log table",
            }
            for name, day, application_id, expected, found in self.archive.incomplete()
        ]
        after = date.min
        while days := self.archive.balance(after, _DAYS_AT_ONCE):
            after = days[-1][0]
            problems += [
                {
                    "what": f"{day}, application {application_id}",
                    "detail": f"the ledger has {settled} rows, the log table {hot}, {dropped} left it, {erased} were"
                    " deleted on demand",
                }
                for day, application_id, settled, hot, dropped, erased in days
                if settled != hot + dropped + erased
            ]
        return problems


def read_text(event: Members, name: str) -> str | None:
    """An optional text of an event. Raises RejectedInput ``invalid_<name>``."""
    value = event.get(name)
    if value is not None and not (isinstance(value, str) and value.isprintable()):
        raise RejectedInput(f"invalid_{name}", f"{name} must be text")
    return value


def read_day(event: Members, name: str) -> date | None:
    """An optional day of an event. Raises RejectedInput ``invalid_<name>``."""
    text = read_text(event, name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise RejectedInput(f"invalid_{name}", f"{name} must be a day such as 2026-11-24") from error
