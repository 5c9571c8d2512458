"""The archive killed at every named point: each row is in the log table or in the archive, at every moment."""

import json
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from faults.harness.sizes import SIZE
from samples import record
from scratch import Scratch
from sluice.runtime.crash_points import CRASH_POINTS, CrashPoint
from vault import NOW, Row, Vault, always

pytestmark = pytest.mark.timeout(600)

ARCHIVE_POINTS = [point for point in CRASH_POINTS if point.startswith("archive.")]
REHYDRATION_POINTS = [point for point in CRASH_POINTS if point.startswith("rehydrate.")]
ERASURE_POINTS = [point for point in CRASH_POINTS if point.startswith("erase.")]
RECENT = NOW.date() - timedelta(days=2)
RECEIVED = NOW - timedelta(days=2)
MOST_OBJECTS = 20  # of a day of a vault: more kills than that a run cannot survive by what was done before


@pytest.fixture(scope="module")
def vault(migrated_database: Callable[..., Scratch], tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """In a database of this module: archiving concerns every partition."""
    return Vault(migrated_database(is_partitioned=False), tmp_path_factory.mktemp("objects"))


def finish(vault: Vault) -> None:
    """What any number of kills leaves, the next run ends; no object is there that nobody knows, or the reverse."""
    vault.run()
    assert vault.hot() == {}
    assert vault.archived() == vault.expected
    assert vault.keys() == vault.known_keys()
    assert vault.overview().verify({}, always)["problems"] == []


def something_to_delete(vault: Vault) -> None:
    """A day that was begun, and then changed."""
    vault.dies("archive.before_drop_commit", vault.run)
    vault.fill(batches=1)


@pytest.mark.parametrize("point", ARCHIVE_POINTS)
def test_archive_killed(vault: Vault, point: CrashPoint) -> None:
    for _ in range(SIZE.rounds_per_point):
        vault.fill()
        if point == "archive.after_delete":
            something_to_delete(vault)
        assert vault.dies(point, vault.run) == signal.SIGKILL
        assert vault.hot() + vault.archived() == vault.expected
        finish(vault)


def test_archive_killed_at_the_same_point_again_and_again(vault: Vault) -> None:
    """Each run gets one object further."""
    vault.fill()
    kills = 0
    while vault.dies("archive.before_confirm_commit", vault.run) == signal.SIGKILL and kills < MOST_OBJECTS:
        kills += 1
        assert vault.hot() + vault.archived() == vault.expected
        vault.run(iter([True] * 3 + [False] * 1_000).__next__)
    assert 1 < kills < MOST_OBJECTS
    finish(vault)


@pytest.mark.parametrize("point", REHYDRATION_POINTS)
def test_rehydration_killed(vault: Vault, point: CrashPoint) -> None:
    """Whatever dies, each archived row is readable at most once, and exactly once when it is over."""
    event = {"application": vault.name(), "since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}

    def release() -> None:
        for found in vault.rehydrator().all({}, always)["rehydrations"]:
            vault.rehydrator().release({"id": found["rehydration_id"]}, always)

    def rehydrate() -> None:
        vault.rehydrator().rehydrate(event, always)
        release()

    for _ in range(SIZE.rounds_per_point):
        vault.fill()
        vault.run()
        mine = Counter({row: count for row, count in vault.expected.items() if row[0] == vault.applications[0]})
        assert vault.dies(point, rehydrate) == signal.SIGKILL
        assert vault.rehydrated() in ({}, mine)
        vault.rehydrator().rehydrate(event, always)
        vault.rehydrator().tidy(always)
        assert vault.rehydrated() == mine
        assert (vault.hot(), vault.archived()) == ({}, vault.expected)
        release()
        assert vault.rehydrated() == {}
        finish(vault)


def is_meant(vault: Vault, row: Row) -> bool:
    """Whether the row is of user 4 of the first application."""
    return bool(row[0] == vault.applications[0] and json.loads(row[-1]).get("user_id") == 4)


@pytest.mark.parametrize("point", ERASURE_POINTS)
def test_erasure_killed(vault: Vault, point: CrashPoint) -> None:
    """The same request goes on: nothing of the subject is left, nothing else is missing, and the receipt counts each
    row once."""
    event = {"application": vault.name(), "metadata": {"user_id": "4"}}
    for _ in range(SIZE.rounds_per_point):
        vault.fill()
        vault.run()
        vault.fill(day=RECENT)
        poison = record(0, "bad", metadata='{"user_id": 4, "a": "\\u0000"}')
        vault.store([vault.entry(vault.applications[0], [poison], RECEIVED)])
        everything = vault.hot() + vault.archived()
        erased = Counter({row: count for row, count in everything.items() if is_meant(vault, row)})
        assert vault.dies(point, lambda: vault.eraser().erase(event, always)) == signal.SIGKILL
        receipt = vault.eraser().erase(event, always)["erasure"]
        assert vault.hot() + vault.archived() == everything - erased
        deleted = receipt["deleted"]
        assert deleted["rows"] + deleted["archived_rows"] == erased.total() > 0
        assert deleted["dead_letters"] == 1
        assert vault.keys() == vault.known_keys()
        assert vault.overview().verify({}, always)["problems"] == []
        vault.expected = vault.hot() + vault.archived()
