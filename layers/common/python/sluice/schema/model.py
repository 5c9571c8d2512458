"""Migrations as files: ``<number>_<name>.<phase>.sql``.

``pre`` migrations must suit the functions of the release before, too, so that they can run before a deployment;
``post`` migrations need all functions to be new. The admin function's ``migrate`` applies both, after its deployment.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from sluice.errors import ContractError

Phase = Literal["pre", "post"]  # before and after the functions of a release
PHASES: tuple[Phase, ...] = ("pre", "post")
_FILE_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.(?P<phase>pre|post)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; ``checksum`` is the SHA-256 of its text, in hex."""

    version: int
    name: str
    phase: Phase
    sql: str
    checksum: str


def read_migrations(texts: Mapping[str, str]) -> list[Migration]:
    """Migrations in order from file names and texts. Numbers may be left out, and filled later by a branch that took
    longer. Raises ContractError for a name that is none, or a number that two have."""
    migrations: list[Migration] = []
    for name in sorted(texts):
        match = _FILE_NAME.fullmatch(name)
        if match is None or (migrations and int(match["version"]) == migrations[-1].version):
            raise ContractError("migration_name", f"{name} is no <number>_<name>.<pre|post>.sql with its own number")
        checksum = hashlib.sha256(texts[name].encode()).hexdigest()
        migrations.append(Migration(int(match["version"]), name, cast(Phase, match["phase"]), texts[name], checksum))
    return migrations


def pending_migrations(migrations: list[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is left to apply, given the checksums applied by version.

    Raises ContractError if an applied file was changed, or the database is ahead of the files.
    """
    known = {migration.version: migration for migration in migrations}
    for version, checksum in applied.items():
        if version not in known:
            raise ContractError(
                "schema_ahead", f"the database holds migration {version}, these functions do not know it"
            )
        if known[version].checksum != checksum:
            raise ContractError("migration_changed", f"{known[version].name} was changed after it was applied")
    return [migration for migration in migrations if migration.version not in applied]
