"""Runs roles.sql over a connection of the server's administrator, for databases that psql does not reach."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, cursor

from sluice.errors import ContractError
from sluice.runtime.postgres import translate

_VARIABLE = re.compile(r":'(\w+)_password'")
# What of psql the file uses: to run what a query answers, and to go on in another database.
_STATEMENT = re.compile(r"(?P<sql>[^;\\]+?)(?:;|\\(?P<execute>gexec))|\\connect (?P<database>\w+)")
_NOT_FOR_THE_SERVER = re.compile(r"^(--.*|\\set .*)$", re.MULTILINE)


def provision(administrator_url: str, passwords: Mapping[str, str]) -> list[str]:
    """Creates Sluice's database and login roles, or gives the roles these passwords. Returns the roles.

    ``passwords`` are by role. Raises ContractError ``missing_password`` before anything is done if a role has none, and
    otherwise as Database.transaction does; what was done before a failure stays.
    """
    return run_script(
        files("sluice.schema").joinpath("roles.sql").read_text(encoding="utf-8"), administrator_url, passwords
    )


def run_script(script: str, administrator_url: str, passwords: Mapping[str, str]) -> list[str]:
    """The same for the text of the file."""
    roles = sorted(set(_VARIABLE.findall(script)))
    if missing := [role for role in roles if not passwords.get(role)]:
        raise ContractError("missing_password", f"no password for {', '.join(missing)}")
    statements = read_script(script)
    borders = [place for place, found in enumerate(statements) if found["database"]]
    for start, end in zip([0, *borders], [*borders, len(statements)], strict=True):
        with _administering(administrator_url, statements[start]["database"]) as open_cursor:
            for found in statements[start:end]:
                if found["sql"]:
                    _run(open_cursor, found["sql"], passwords, is_generator=bool(found["execute"]))
    return roles


def read_script(script: str) -> list[re.Match[str]]:
    """Its statements, each with the group sql (and execute, if what it answers is to be run) or database."""
    return list(_STATEMENT.finditer(_NOT_FOR_THE_SERVER.sub("", script)))


def _run(open_cursor: cursor, sql: str, passwords: Mapping[str, str], *, is_generator: bool) -> None:
    values = {role: passwords[role] for role in _VARIABLE.findall(sql)}
    open_cursor.execute(_VARIABLE.sub(r"%(\1)s", sql.replace("%", "%%")) if values else sql, values or None)
    if is_generator:
        for (generated,) in open_cursor.fetchall():
            open_cursor.execute(generated)


@contextmanager
def _administering(url: str, database: str | None) -> Iterator[cursor]:
    """Statement by statement: a database cannot be created in a transaction."""
    target = urlunsplit(urlsplit(url)._replace(path=f"/{database}")) if database else url
    try:
        with closing(psycopg2.connect(target, connect_timeout=5, application_name="sluice")) as connection:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            with connection.cursor() as open_cursor:
                yield open_cursor
    except psycopg2.Error as error:
        raise translate(error) from error
