"""What the emulator's launcher changes, as far as it can be told without the emulator."""

import zipfile
from pathlib import Path

import pytest

from embedded.emulator_launcher import SharedZip


def _zipped(file: Path, text: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("python/library/__init__.py", text)
    return file


def test_a_layer_is_unpacked_once_and_another_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = _zipped(tmp_path / "one.zip", "1"), _zipped(tmp_path / "other.zip", "2")
    copy = tmp_path / "copy.zip"
    copy.write_bytes(one.read_bytes())
    unpacked = []
    for archive in (one, copy, other):
        folder = tmp_path / f"worker-{archive.stem}"
        folder.mkdir()
        with SharedZip(archive) as opened:
            opened.extractall(folder)
        unpacked.append(folder / "python" / "library" / "__init__.py")
    assert [file.read_text() for file in unpacked] == ["1", "1", "2"]
    assert unpacked[0].samefile(unpacked[1])
    assert not unpacked[0].samefile(unpacked[2])
