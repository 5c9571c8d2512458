"""python -m monitoring table: renews infra/METRICS.md.
python -m monitoring target DIRECTORY URL STAGE: writes what Prometheus is to scrape; the key comes by stdin."""

import sys
from pathlib import Path

from monitoring.table import table
from monitoring.targets import write_target

match sys.argv[1:]:
    case ["table"]:
        (Path(__file__).parents[1] / "METRICS.md").write_text(table(), encoding="utf-8")
    case ["target", directory, url, stage]:
        write_target(Path(directory), url=url, stage=stage, key=sys.stdin.readline().strip())
    case _:
        sys.exit(__doc__)
