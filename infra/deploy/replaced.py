"""What a development session put in place of deployed functions, and how to put the deployment back.

CloudFormation does not notice what changes a function behind its back: a later deployment would leave it so. Therefore
the deployed state of a function is kept, in a directory of the stack, before the first change, and put back before the
next deployment.
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

DIRECTORY = "replaced"


def keep(functions: "LambdaClient", name: str, directory: Path) -> dict[str, Any]:
    """Keep code and configuration of a function unless they are kept already; returns the kept configuration:
    Handler, Timeout (seconds), Environment (variables by name) and Layers (ARNs)."""
    file = directory / f"{name}.json"
    if not file.exists():
        directory.mkdir(mode=0o700, exist_ok=True)
        found = functions.get_function(FunctionName=name)
        with urlopen(found["Code"]["Location"], timeout=30) as response:  # noqa: S310  # the emulator's own URL
            (directory / f"{name}.zip").write_bytes(response.read())
        configuration = found["Configuration"]
        kept = {
            "Handler": configuration["Handler"],
            "Timeout": configuration["Timeout"],
            "Environment": configuration.get("Environment", {}).get("Variables", {}),
            "Layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def restore(functions: "LambdaClient", directory: Path) -> list[str]:
    """Put back every function that is kept and forget it; returns their names. One that is gone is passed over."""
    restored = []
    for file in sorted(directory.glob("*.json")):
        kept = json.loads(file.read_text(encoding="utf-8"))
        code = file.with_suffix(".zip").read_bytes()
        try:
            functions.update_function_code(FunctionName=file.stem, ZipFile=code)
            functions.get_waiter("function_updated_v2").wait(FunctionName=file.stem, WaiterConfig={"Delay": 1})
            functions.update_function_configuration(
                FunctionName=file.stem, **kept | {"Environment": {"Variables": kept["Environment"]}}
            )
        except functions.exceptions.ResourceNotFoundException:
            continue
        restored.append(file.stem)
    shutil.rmtree(directory, ignore_errors=True)
    return restored
