"""Runs every command of an evaluation kit over the product's own code, and gathers what they print and store.

python -m evaluation KIT --output build/evaluation.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

DEFAULT_LABELS = "khan,mut:1,mut:2,synth:1,synth:2"
DEFAULT_SEEDS = "1,2"
_RATES = ("--module", "evaluation.detecting:detect_rates")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One command of the kit: a script that takes ``--module`` and writes its rows to ``--json``."""

    name: str
    script: str
    arguments: tuple[str, ...]


def measurements(labels: str, seeds: str) -> list[Measurement]:
    """Everything that the product can be measured by, in the order of the report."""
    return [
        Measurement(
            "templates", "parse_eval.py", ("--module", "evaluation.mining:parse", "--check-online", "--labels", labels)
        ),
        Measurement("sessions", "session_eval.py", ("--module", "evaluation.detecting:detect_sessions")),
        Measurement("rates", "rate_eval.py", _RATES),
        *(
            Measurement(f"synthetic rates, seed {seed}", "rate_eval.py", (*_RATES, "--synthetic", "--seed", seed))
            for seed in seeds.split(",")
        ),
    ]


def run(kit: Path, measurement: Measurement) -> object:
    """Runs one command, whose table goes to standard output; its rows."""
    with tempfile.NamedTemporaryFile(suffix=".json") as rows:
        command = [sys.executable, str(kit / measurement.script), *measurement.arguments, "--json", rows.name]
        print(f"\n{measurement.name}", flush=True)
        subprocess.run(command, check=True)
        return json.load(rows)


def main() -> None:
    """Runs all, and stores the rows by the measurements' names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kit", type=Path, help="folder of the evaluation kit")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--labels", default=DEFAULT_LABELS, help="labels of the template data")
    parser.add_argument("--seeds", default=DEFAULT_SEEDS, help="seeds of the synthetic count series")
    arguments = parser.parse_args()
    if not (arguments.kit / "parse_eval.py").is_file():
        parser.error(f"no evaluation kit in {str(arguments.kit)!r}: name its folder, EVALUATION=folder")
    results = {each.name: run(arguments.kit, each) for each in measurements(arguments.labels, arguments.seeds)}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten to {arguments.output}")


if __name__ == "__main__":
    main()
