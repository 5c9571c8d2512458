"""The CI workflow, offline: its targets exist, its actions are pinned, it may only read."""

import re

import yaml

from deploy.target import REPOSITORY

TEXT = (REPOSITORY / ".github" / "workflows" / "ci.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]


def test_it_calls_targets_of_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    called = set(re.findall(r"make ([a-z-]+)", " ".join(step.get("run", "") for step in STEPS)))
    called |= set(JOBS["embedded"]["strategy"]["matrix"]["target"])
    assert called == {"check", "test", "test-localstack", "compose-up", "compose-test", "compose-clean"}
    assert called <= targets


def test_actions_are_pinned_and_cannot_write() -> None:
    uses = re.findall(r"uses: (.*)", TEXT)
    assert len(uses) == len([step for step in STEPS if "uses" in step]) > 0
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in uses)
    assert len({line.partition("@")[0] for line in uses}) == len(set(uses)), "one version of each action"
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is True
    assert all(job["timeout-minutes"] <= 30 for job in JOBS.values())
    assert all(step["with"]["cache"] == "pip" for step in STEPS if "setup-python" in step.get("uses", ""))
