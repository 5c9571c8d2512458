"""What Prometheus is told to scrape: files for its file_sd_configs, and the key beside them."""

import json
from pathlib import Path
from urllib.parse import urlsplit


def write_target(directory: Path, *, url: str, stage: str, key: str) -> None:
    """Writes ``<stage>.yml`` (JSON is YAML) for a deployment's API URL, and ``metrics.key``, readable by the owner."""
    parts = urlsplit(url)
    labels = {"__scheme__": parts.scheme, "__metrics_path__": f"{parts.path.rstrip('/')}/metrics", "stage": stage}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{stage}.yml").write_text(json.dumps([{"targets": [parts.netloc], "labels": labels}]) + "\n")
    secret = directory / "metrics.key"
    secret.touch(mode=0o600)
    secret.write_text(key)
