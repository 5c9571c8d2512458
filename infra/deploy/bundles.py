"""The build for an emulator that does not mount layers: each function's bundle carries the layer's content itself."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

LAYER = "CommonLayer"
TEMPLATE = "template.yaml"


def merge(built: Path, merged: Path) -> Path:
    """Make the directory `merged` from a build and return its template; all else in it stays as it was built."""
    shutil.rmtree(merged, ignore_errors=True)
    _link(built, merged, ignore=shutil.ignore_patterns(LAYER, TEMPLATE))
    template = yaml_parse((built / TEMPLATE).read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            _link(built / LAYER / "python", merged / resource["Properties"]["CodeUri"])
    _without_layer(template)
    path = merged / TEMPLATE
    path.write_text(json.dumps(template, indent=2, default=str) + "\n", encoding="utf-8")  # JSON is YAML
    return path


def _link(source: Path, target: Path, **options: Any) -> None:
    """Copy by links: the files are only read, and five copies of the layer are a hundred megabytes."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True, **options)


def _without_layer(template: dict[str, Any]) -> None:
    del template["Resources"][LAYER]
    del template["Globals"]["Function"]["Layers"]
