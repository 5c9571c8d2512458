"""The environment of each function as template.yaml deploys it: measurements have the settings of production."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from benchmarks.figures import FUNCTIONS

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_SECRET = re.compile(r"SecretString:(\w+):")
# No limit of an application is reached: they are measured elsewhere, and are settings.
UNLIMITED = {"REQUESTS_PER_SECOND": "1000000", "BYTES_PER_SECOND": str(10**11), "BYTES_PER_DAY": str(10**15)}
NOBODY_TO_WAKE = {"DRAIN_FUNCTION": ""}  # the benchmark drains


def environments(connections: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Variables by function; ``connections`` are what its secret would hold."""
    template = yaml_parse(TEMPLATE.read_text())
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    return {
        verb: {
            name: _value(template, value, connections)
            for name, value in (
                shared | template["Resources"][_resource(verb)]["Properties"]["Environment"]["Variables"]
            ).items()
        }
        | (UNLIMITED | NOBODY_TO_WAKE if verb == "ingest" else {})
        for verb in FUNCTIONS
    }


def _resource(verb: str) -> str:
    """A function's name in the template."""
    return f"{verb.title().replace('_', '')}Function"


def _value(template: Any, value: Any, connections: Mapping[str, str]) -> str:
    """A literal, a parameter's default, a member of the secret; of other references the name."""
    match value:
        case {"Ref": name}:
            return str(template["Parameters"].get(name, {}).get("Default", name))
        case {"Fn::Sub": text} if found := _SECRET.search(text):
            return connections[found[1]]
        case _:
            return str(value)
