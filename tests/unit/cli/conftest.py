"""Fixtures of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.cli.platform import KEY, Platform
from unit.cli.playback import Playback, running


@pytest.fixture
def server() -> Iterator[Playback]:
    """A server on loopback, the only network these tests have."""
    with running() as playback:
        yield playback


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an environment that names no platform, so that no real stack is found."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "SLUICE_URL", "SLUICE_API_KEY", "SLUICE_STAGE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    return tmp_path


@pytest.fixture
def platform(server: Playback, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform that the environment names, as an embedded stack's env file would."""
    platform = Platform(server.url)
    server.play = platform
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("SLUICE_API_KEY", KEY)
    return platform
