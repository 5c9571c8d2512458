"""The secret that holds a stage's connections; see infra/DEPLOY.md for its keys."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.progress import Step

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEYS = frozenset(
    {
        "ingest_database_url",
        "writer_database_url",
        "reader_database_url",
        "indexer_database_url",
        "archiver_database_url",
        "watcher_database_url",
        "alerts_database_url",
        "owner_database_url",
        "ingest_redis_url",
        "drain_redis_url",
        "process_chunk_redis_url",
        "query_redis_url",
        "dashboard_redis_url",
        "watch_redis_url",
        "alerts_redis_url",
        "archive_redis_url",
        "key_pepper",
    }
)


def publish(secrets: "SecretsManagerClient", name: str, document: Path, current: Step) -> str:
    """Store the connections of a local stack as the secret `name` and return the id of its current version.

    Raises DeployError if the file is missing.
    """
    try:
        wanted = json.loads(document.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeployError(f"{document} is missing: run `make up`, which writes it") from None
    return keep(secrets, name, wanted, current)


def keep(secrets: "SecretsManagerClient", name: str, wanted: Mapping[str, str], current: Step) -> str:
    """Store these connections as the secret `name` and return the id of its current version.

    An equal secret stays as it is, version included: a new version would make every function change.
    """
    text = json.dumps(wanted, sort_keys=True)
    try:
        stored = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        current.note = "created"
        return secrets.create_secret(Name=name, SecretString=text)["VersionId"]
    if stored["SecretString"] == text:
        current.note = "unchanged"
        return stored["VersionId"]
    current.note = "new version"
    return secrets.put_secret_value(SecretId=name, SecretString=text)["VersionId"]


def current_version(secrets: "SecretsManagerClient", name: str) -> str:
    """Id of the current version of the secret `name`; raises DeployError if it is absent or lacks a key."""
    try:
        stored = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        raise DeployError(
            f"the secret {name} does not exist. Either have the servers made, with `make foundation STAGE=...`, "
            f"or bring your own and create it as a JSON object with the keys {', '.join(sorted(KEYS))}:\n"
            f"  aws secretsmanager create-secret --name {name} --secret-string file://connections.json"
        ) from None
    missing = KEYS - json.loads(stored["SecretString"]).keys()
    if missing:
        raise DeployError(f"the secret {name} lacks {', '.join(sorted(missing))}: add a version that has them")
    return stored["VersionId"]
