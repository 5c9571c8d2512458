"""Database and roles from roles.sql without psql, where only functions reach the server."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from typing import Any

import psycopg2
import pytest

from sluice.errors import ContractError, Unavailable
from sluice.schema.postgres_roles import provision, read_script, run_script
from stack import Stack

SCRIPT = files("sluice.schema").joinpath("roles.sql").read_text()
STATE = """
    SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls,
           ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1)
    FROM pg_roles r WHERE r.rolname LIKE 'sluice%' ORDER BY 1"""


def ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_every_line_of_the_script_is_run() -> None:
    plain = "\n".join(line for line in SCRIPT.splitlines() if not line.startswith(("--", "\\set")))
    assert "".join("".join(found[0] for found in read_script(SCRIPT)).split()) == "".join(plain.split())


def test_it_agrees_with_psql_and_may_be_repeated(servers: Stack) -> None:
    """The stack was set up by psql with the same file."""
    passwords = servers.passwords
    before = ask(servers.superuser_url, STATE)
    roles = provision(servers.superuser_url, passwords)
    assert roles == [name for name, can_log_in, *_ in before if can_log_in]
    assert ask(servers.superuser_url, STATE) == before
    assert ask(servers.database_url("sluice_reader"), "SELECT 1") == [(1,)]


@pytest.fixture
def other(servers: Stack) -> Iterator[str]:
    """What this file's roles and database are called in place of `sluice`, for they belong to the whole server."""
    name = f"other{secrets.token_hex(4)}"
    yield name
    with closing(psycopg2.connect(servers.superuser_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", (f"{name}%",))
            for (role,) in cursor.fetchall():
                cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_it_creates_what_there_is_not(servers: Stack, other: str) -> None:
    script = SCRIPT.replace("sluice", other)
    names = [name.replace("sluice", other) for name in servers.passwords if name.startswith("sluice_")]
    passwords = {name: f"it's {secrets.token_hex(8)} 100%" for name in names}
    assert run_script(script, servers.superuser_url, passwords) == sorted(names)
    for role in names:
        with closing(psycopg2.connect(servers.superuser_url, user=role, password=passwords[role], dbname=other)):
            pass
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(servers.superuser_url, user=names[0], password="wrong", dbname=other)


def test_a_role_without_a_password_stops_before_anything(servers: Stack, other: str) -> None:
    script = SCRIPT.replace("sluice", other)
    with pytest.raises(ContractError, match="missing_password"):
        run_script(script, servers.superuser_url, {f"{other}_owner": "x"})
    assert ask(servers.superuser_url, f"SELECT FROM pg_roles WHERE rolname LIKE '{other}%'") == []


def test_a_server_that_is_not_there(servers: Stack) -> None:
    with pytest.raises(Unavailable, match="database_unavailable"):
        provision("postgresql://nobody:secret@127.0.0.1:1/postgres", servers.passwords)
