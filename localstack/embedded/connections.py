"""How others reach the servers: the connections document and the shell environment."""

import json
import shlex
from collections.abc import Mapping

from embedded.accounts import Accounts
from embedded.ports import HOST, Ports
from embedded.state import State, write_private

DATABASE = "sluice"
REGION = "us-east-1"


def _database_url(role: str, password: str, address: str) -> str:
    return f"postgresql://{role}:{password}@{address}/{DATABASE}"


def connections(ports: Ports, accounts: Accounts) -> dict[str, str]:
    """The document that the deploy tool stores as the stage's connections secret."""
    return document({name: f"{HOST}:{ports[name]}" for name in ("redis", "postgres", "pgbouncer")}, accounts)


def document(addresses: Mapping[str, str], accounts: Accounts) -> dict[str, str]:
    """The same for servers at any addresses: host:port of redis, postgres and pgbouncer, as the functions see them."""
    pgbouncer, redis = addresses["pgbouncer"], addresses["redis"]
    queues = {f"{user}_redis_url": f"redis://{user}:{text}@{redis}/0" for user, text in accounts.queue_users().items()}
    return queues | {
        "ingest_database_url": _database_url("sluice_ingest", accounts.sluice_ingest, pgbouncer),
        "writer_database_url": _database_url("sluice_writer", accounts.sluice_writer, pgbouncer),
        "reader_database_url": _database_url("sluice_reader", accounts.sluice_reader, pgbouncer),
        "indexer_database_url": _database_url("sluice_indexer", accounts.sluice_indexer, pgbouncer),
        "archiver_database_url": _database_url("sluice_archiver", accounts.sluice_archiver, pgbouncer),
        "watcher_database_url": _database_url("sluice_watcher", accounts.sluice_watcher, pgbouncer),
        "alerts_database_url": _database_url("sluice_alerts", accounts.sluice_alerts, pgbouncer),
        "owner_database_url": _database_url("sluice_owner", accounts.sluice_owner, addresses["postgres"]),
        "key_pepper": accounts.key_pepper,
    }


def environment(ports: Ports) -> dict[str, str]:
    """Environment variables that aim AWS clients and Sluice's own tools at the emulator; none if it was left out."""
    emulator = next((name for name in ("localstack", "emulator") if name in ports), None)
    if emulator is None:
        return {}
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{ports[emulator]}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "SLUICE_STAGE": "local",
    } | ({"SLUICE_MERGE_LAYER": "1"} if emulator == "localstack" else {})


def publish(state: State, ports: Ports, accounts: Accounts) -> None:
    """Write connections.json and the sourceable file env, which keeps what others added to it."""
    write_private(state.connections, json.dumps(connections(ports, accounts), indent=2) + "\n")
    own = environment(ports)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in own.items()]
    if state.environment.exists():
        kept = state.environment.read_text().splitlines(keepends=True)
        lines += [line for line in kept if line.removeprefix("export ").partition("=")[0] not in own]
    write_private(state.environment, "".join(lines))
