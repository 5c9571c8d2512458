"""What operators do by hand, as they type it: load, look, drain, invoke."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest
import requests

SLUICE = str(Path(__file__).resolve().parents[2] / "build" / "venv" / "bin" / "sluice")


def sluice(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SLUICE, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(200)
def test_load_queue_drain_and_invoke(operator_environment: dict[str, str], key: str) -> None:
    environment = operator_environment | {"SLUICE_API_KEY": key}
    run = ("load", "--rate", "5", "--duration", "2", "--batch", "40", "--concurrency", "2", "--gzip", "--yes", "--json")
    sent = json.loads(sluice(environment, *run, "--no-wait").stdout)
    assert (sent["requests"]["accepted"], sent["logs"]["accepted"]) == (10, 400)
    assert sent["latency_ms"]["p50"] > 0
    assert sent["ledger"]["is_balanced"]

    seen = json.loads(sluice(environment, "queue", "--json").stdout)["shards"]
    assert sum(share["accepted_count"] for shard in seen for share in shard["applications"]) >= 400

    drained = sluice(environment, "drain", "--until-empty", "--json")
    assert (drained.returncode, json.loads(drained.stdout)["outcome"]) == (0, "empty"), drained.stderr
    assert sluice(environment, "queue").returncode == 0

    audit = sluice(environment, "invoke", "query", "--event", '{"action": "audit"}', "--tail-logs")
    assert audit.returncode == 0, audit.stderr
    assert json.loads(audit.stdout)["unaccounted"] == 0
    broken = sluice(environment, "invoke", "process_chunk")
    assert broken.returncode == 1
    assert "chunk_task" in broken.stderr
    unknown = sluice(environment, "invoke", "nothing")
    assert (unknown.returncode, "process-chunk" in unknown.stderr) == (1, True)

    again = sluice(environment, *run)
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["ledger"]["stored"] == 400


@pytest.mark.timeout(200)
def test_own_logs_are_stored_once(operator_environment: dict[str, str], url: str) -> None:
    """However often they are read."""
    name = f"own-{secrets.token_hex(4)}"
    sluice(operator_environment, "apps", "create", name)
    made = sluice(operator_environment, "keys", "create", name, "--scope", "ingest", "--scope", "read")
    environment = operator_environment | {"SLUICE_API_KEY": made.stdout.split()[-1]}
    body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}},5]}]}]}'
    headers = {"X-API-Key": environment["SLUICE_API_KEY"], "Content-Type": "application/json"}
    assert requests.post(f"{url}/v1/logs", data=body, headers=headers, timeout=30).status_code == 200
    for _ in range(2):
        shipped = sluice(environment, "own-logs", name, "--since", "-1m")
        assert shipped.returncode == 0, shipped.stderr
    sluice(environment, "drain", "--until-empty")
    found = [json.loads(line) for line in sluice(environment, "logs", "OTLP service:ingest").stdout.splitlines()]
    told = [(log["level"], log["message"], log["metadata"]["rejected"]) for log in found]
    assert told.count(("WARNING", "OTLP records rejected", 1)) == len(told) == len({log["timestamp"] for log in found})
    assert told
