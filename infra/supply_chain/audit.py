"""Asks the advisory databases of PyPI and npm about what is locked.

Without a connection there is no answer, and work must go on offline: then it says what was not looked up, and only a
strict run fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from supply_chain.exceptions import Exceptions

REPOSITORY = Path(__file__).parents[2]
LOCKS = ("layers/common/requirements.lock", "requirements.lock", "localstack/embedded/requirements.lock")
DASHBOARD = "functions/dashboard/web"


class Answer(NamedTuple):
    """About one lock: ``vulnerable`` are lines to read, ``unknown`` is why (some of) it was not looked up."""

    vulnerable: list[str]
    unknown: str = ""


def judge_python(report: str, accepted: frozenset[str]) -> Answer:
    """``report`` is what pip-audit printed as JSON; anything else is no answer."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer([], "the advisory database did not answer")
    vulnerable = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {_releases(found)}"
        for package in packages
        for found in package.get("vulns", [])
        if not accepted & {found["id"], *found.get("aliases", [])}
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    return Answer(vulnerable, f"{len(skipped)} of {len(packages)} packages are not in the database" if skipped else "")


def _releases(found: dict[str, Any]) -> str:
    return ", ".join(found["fix_versions"]) or "no release"


def judge_node(report: str, accepted: frozenset[str]) -> Answer:
    """``report`` is what `npm audit` printed as JSON; anything else is no answer."""
    try:
        packages = json.loads(report)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return Answer([], "the advisory database did not answer")
    advisories = {
        (name, via["url"].rpartition("/")[2], via["title"])
        for name, package in packages.items()
        for via in package["via"]
        if isinstance(via, dict)
    }
    return Answer([f"{name}: {found}, {title}" for name, found, title in sorted(advisories) if found not in accepted])


def main(*, is_strict: bool) -> int:
    """Prints a line per lock, and each vulnerability; the exit status."""
    accepted = Exceptions.load().vulnerabilities
    answers = {lock: judge_python(_run("pip-audit", *_PIP_AUDIT, "--requirement", lock), accepted) for lock in LOCKS}
    npm_audit = ("npm", "audit", "--json", "--omit=dev", "--prefix", DASHBOARD)
    answers[f"{DASHBOARD}/package-lock.json"] = judge_node(_run(*npm_audit), accepted)
    for lock, answer in answers.items():
        state = (
            "vulnerable"
            if answer.vulnerable
            else f"NOT AUDITED: {answer.unknown}"
            if answer.unknown
            else "no known vulnerability"
        )
        print(f"{lock}: {state}")
        for line in answer.vulnerable:
            print(f"  {line}")
    is_bad = any(answer.vulnerable or (is_strict and answer.unknown) for answer in answers.values())
    return 1 if is_bad else 0


_PIP_AUDIT = ("--format", "json", "--progress-spinner", "off", "--disable-pip", "--require-hashes", "--timeout", "10")


def _run(*command: str) -> str:
    # pip-audit and npm come from wheels in this tool's own environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    ).stdout
