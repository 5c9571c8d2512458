"""Bills of materials in CycloneDX: what the layer and the dashboard are made of, with versions, licences and hashes."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LAYER_LOCK = "layers/common/requirements.lock"
DASHBOARD = "functions/dashboard/web"


def main(directory: Path) -> None:
    """Writes layer.cdx.json and dashboard.cdx.json; equal locks give equal files. Raises CalledProcessError."""
    directory.mkdir(parents=True, exist_ok=True)
    layer = _run("cyclonedx-py", "requirements", LAYER_LOCK, "--output-reproducible", "--of", "JSON")
    npm_sbom = ("npm", "sbom", "--sbom-format=cyclonedx", "--omit=dev", "--package-lock-only", "--prefix", DASHBOARD)
    dashboard = _without_date(_run(*npm_sbom))
    for name, document in (("layer", layer), ("dashboard", dashboard)):
        path = directory / f"{name}.cdx.json"
        path.write_text(document, encoding="utf-8")
        print(path)


def _without_date(document: str) -> str:
    bill = json.loads(document)
    del bill["serialNumber"], bill["metadata"]["timestamp"]
    return json.dumps(bill, indent=2) + "\n"


def _run(*command: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | {"PATH": path}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
