"""A database that counts what it is asked."""

from typing import Any, ClassVar

import psycopg2.extensions

from sluice.runtime.postgres import Database


class CountedCursor(psycopg2.extensions.cursor):
    """Keeps the first word of each statement."""

    asked: ClassVar[list[str]] = []

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - as the driver has it
        self.asked.append(str(query if isinstance(query, str) else query.decode()).split()[0])
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.asked.append("COPY")
        super().copy_expert(sql, file, size)


class CountingDatabase(Database):
    def _live(self) -> psycopg2.extensions.connection:
        live = super()._live()
        live.cursor_factory = CountedCursor
        return live
