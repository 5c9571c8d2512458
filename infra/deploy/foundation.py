"""The servers of a stage on AWS (infra/aws): their passwords, their stack, and what the functions are told of them.

sluice/STAGE/passwords      one for each role of Postgres (sluice_*) and each user of Valkey (queue_*)
sluice-STAGE-foundation     the stack of foundation.yaml
sluice/STAGE/connections    what template.yaml reads: made from the two
"""

import json
import re
import secrets as randomness
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from deploy import connections
from deploy.progress import Step
from deploy.target import REPOSITORY, Target

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TEMPLATE = REPOSITORY / "infra" / "aws" / "foundation.yaml"
EDGE_TEMPLATE = REPOSITORY / "infra" / "aws" / "edge.yaml"
ROLES = REPOSITORY / "layers" / "common" / "python" / "sluice" / "schema" / "roles.sql"
USERS = REPOSITORY / "infra" / "queue" / "users.acl"
# Outputs of the foundation that are parameters of template.yaml by the same name.
PARAMETERS = ("VpcSubnetIds", "VpcSecurityGroupIds", "ChunkReservedConcurrency", "KeyArn")
_ALPHABET = string.ascii_letters + string.digits  # needs no quoting in URLs, SQL and configuration files
_LENGTH = 32


@dataclass(frozen=True)
class Passwords:
    """By account, and the version of the secret that they are."""

    by_account: Mapping[str, str]
    version: str

    @property
    def roles(self) -> dict[str, str]:
        """Those of Postgres's roles."""
        return {name: text for name, text in self.by_account.items() if name.startswith("sluice_")}


def stack_name(target: Target) -> str:
    return f"{target.stack_name}-foundation"


def passwords_secret(target: Target) -> str:
    return f"sluice/{target.stage}/passwords"


def accounts() -> list[str]:
    """Every account that a release needs a password for."""
    roles = re.findall(r":'(\w+)_password'", ROLES.read_text(encoding="utf-8"))
    users = re.findall(r"^(\w+) ", USERS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return sorted({*roles, *(f"queue_{user}" for user in users)})


def keep_passwords(secrets: "SecretsManagerClient", name: str, wanted: Iterable[str], current: Step) -> Passwords:
    """The stored passwords, with new ones for accounts that had none: at first, and after a release with one more."""
    try:
        stored = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        made = {account: _password() for account in wanted}
        current.note = "created"
        return Passwords(made, secrets.create_secret(Name=name, SecretString=json.dumps(made))["VersionId"])
    known: dict[str, str] = json.loads(stored["SecretString"])
    missing = sorted(set(wanted) - known.keys())
    if not missing:
        current.note = "unchanged"
        return Passwords(known, stored["VersionId"])
    current.note = f"added {', '.join(missing)}"
    return _put(secrets, name, known | {account: _password() for account in missing})


def change_passwords(secrets: "SecretsManagerClient", name: str, wanted: Iterable[str]) -> Passwords:
    """New passwords for all accounts, as a new version of the secret."""
    return _put(secrets, name, {account: _password() for account in wanted})


def connections_document(outputs: Mapping[str, str], passwords: Passwords, key_pepper: str) -> dict[str, str]:
    """What the functions connect with: through PgBouncer, but for the owner, who migrates; everywhere with TLS."""
    document = {"key_pepper": key_pepper}
    for key in connections.KEYS - document.keys():
        account = re.sub("_(database|redis)_url$", "", key)
        if key.endswith("_database_url"):
            address = f"{outputs['DatabaseHost']}:5432" if account == "owner" else f"{outputs['BouncerHost']}:6432"
            password = passwords.by_account[f"sluice_{account}"]
            document[key] = f"postgresql://sluice_{account}:{password}@{address}/sluice?sslmode=require"
        else:
            password = passwords.by_account[f"queue_{account}"]
            document[key] = f"rediss://{account}:{password}@{outputs['QueueHost']}:6379/0{outputs['QueueOptions']}"
    return document


def stored_pepper(secrets: "SecretsManagerClient", name: str) -> str:
    """The pepper in the connections secret, which must never change; a new one if there is none."""
    try:
        stored = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    except secrets.exceptions.ResourceNotFoundException:
        return randomness.token_hex(32)
    return str(stored["key_pepper"])


def administrator_url(secrets: "SecretsManagerClient", outputs: Mapping[str, str]) -> str:
    """How the server's administrator logs in; RDS keeps and rotates the password."""
    account = json.loads(secrets.get_secret_value(SecretId=outputs["MasterSecretArn"])["SecretString"])
    login = f"{quote(account['username'], safe='')}:{quote(account['password'], safe='')}"
    return f"postgresql://{login}@{outputs['DatabaseHost']}:5432/postgres?sslmode=require"


def _put(secrets: "SecretsManagerClient", name: str, by_account: dict[str, str]) -> Passwords:
    return Passwords(
        by_account, secrets.put_secret_value(SecretId=name, SecretString=json.dumps(by_account))["VersionId"]
    )


def _password() -> str:
    return "".join(randomness.choice(_ALPHABET) for _ in range(_LENGTH))
