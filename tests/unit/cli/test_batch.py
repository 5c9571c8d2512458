"""`sluice batch` against a server that answers what the test says."""

import json
from typing import Any

import pytest
from rich.console import Console

from sluice_cli import render
from unit.cli.platform import KEY
from unit.cli.playback import Answer, Playback
from unit.cli.test_commands import sluice

BATCH_ID = "ab" * 16
BATCH: dict[str, Any] = {
    "batch_id": BATCH_ID,
    "application": "shop",
    "received_at": "2026-03-01T12:00:00.123456+00:00",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    "queued": 7,
    "stored": 1_200,
    "duplicate": 0,
    "dead_lettered": 2,
    "parts": [
        {
            "part": 0,
            "shard": 1,
            "entry_id": "1772366400123-0",
            "record_count": 1_202,
            "stored": 1_200,
            "duplicate": 0,
            "dead_lettered": 2,
            "stored_at": "2026-03-01T12:00:01+00:00",
        }
    ],
    "dead_letters": [
        {
            "id": 4,
            "position": 17,
            "reason": "sqlstate_22p05",
            "status": "open",
            "dead_lettered_at": "2026-03-01T12:00:01+00:00",
        }
    ],
}


def test_it_is_asked_for_by_id(server: Playback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)
    server.answers(Answer(200, {"batches": [BATCH]}))
    assert json.loads(sluice("batch", BATCH_ID).stdout) == BATCH
    assert server.requests[0].path == f"/api/batches/{BATCH_ID}"


def test_the_tables_show_what_became_of_it() -> None:
    console = Console(width=200, record=True, file=None)
    console.print(render.batch_table(BATCH))
    console.print(render.batch_letter_table(BATCH["dead_letters"]))
    text = console.export_text()
    for part in (BATCH_ID, "2026-03-01 12:00:00", "1,200", "1/1772366400123-0", "in the queue", "sqlstate_22p05", "17"):
        assert part in text, part
