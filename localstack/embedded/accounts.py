"""Passwords of the servers, made once per state directory."""

import json
import secrets
import string
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from embedded.state import read_json, write_private

PASSWORD_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits  # needs no quoting in URLs, SQL and configuration files


@dataclass(frozen=True)
class Accounts:
    """Secrets: `redis` and `postgres` are passwords of those who may do everything there, `sluice_*` of database roles,
    `queue_*` of users of Redis (infra/queue/users.acl)."""

    redis: str
    postgres: str
    sluice_owner: str
    sluice_ingest: str
    sluice_writer: str
    sluice_reader: str
    sluice_indexer: str
    sluice_archiver: str
    sluice_watcher: str
    sluice_alerts: str
    queue_ingest: str
    queue_drain: str
    queue_process_chunk: str
    queue_query: str
    queue_dashboard: str
    queue_watch: str
    queue_alerts: str
    queue_archive: str
    key_pepper: str  # 64 hex digits

    def roles(self) -> dict[str, str]:
        """Passwords of Sluice's own database roles by role name."""
        return {name: password for name, password in asdict(self).items() if name.startswith("sluice_")}

    def queue_users(self) -> dict[str, str]:
        """Passwords of Redis's users by name."""
        accounts = asdict(self).items()
        return {name.removeprefix("queue_"): text for name, text in accounts if name.startswith("queue_")}


def password() -> str:
    """A new password; it needs no quoting anywhere."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


def load_or_create(file: Path) -> Accounts:
    """The accounts in the file; what it lacks is made and written, for its owner alone."""
    stored = read_json(file) or {}
    made = {field.name: password() for field in fields(Accounts)} | {"key_pepper": secrets.token_hex(32)}
    accounts = Accounts(**made | stored)
    if asdict(accounts) != stored:  # the first start, or the first of a release with one more role
        write_private(file, json.dumps(asdict(accounts), indent=2) + "\n")
    return accounts
