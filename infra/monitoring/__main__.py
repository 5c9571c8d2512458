"""Renews infra/METRICS.md."""

from pathlib import Path

from monitoring.table import table

if __name__ == "__main__":
    (Path(__file__).parents[1] / "METRICS.md").write_text(table(), encoding="utf-8")
