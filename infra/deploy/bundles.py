"""The build for an emulator that does not mount layers: each function's bundle carries the layer's content itself."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

LAYER = "CommonLayer"


def merge(built: Path, merged: Path) -> Path:
    """Make the directory `merged` from a build and return its template; all else in it stays as it was built."""
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    template = yaml_parse((built / "template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            _bundle(built, merged, resource["Properties"]["CodeUri"])
    _without_layer(template)
    path = merged / "template.yaml"
    path.write_text(json.dumps(template, indent=2, default=str) + "\n", encoding="utf-8")  # JSON is YAML
    return path


def _bundle(built: Path, merged: Path, name: str) -> None:
    for source in (built / LAYER / "python", built / name):
        # Links: the files are only read, and five copies of the layer are a hundred megabytes.
        shutil.copytree(source, merged / name, copy_function=os.link, dirs_exist_ok=True)


def _without_layer(template: dict[str, Any]) -> None:
    del template["Resources"][LAYER]
    del template["Globals"]["Function"]["Layers"]
