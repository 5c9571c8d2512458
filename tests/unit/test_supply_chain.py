"""Secrets that must not be committed, known vulnerabilities, bills of materials: what the tools make of each case."""

import json
import subprocess
from pathlib import Path

import pytest

from sluice.applications.keys import mint_key
from supply_chain.audit import judge_node, judge_python
from supply_chain.exceptions import Exceptions
from supply_chain.secrets import scan, tracked_files

NOBODY = frozenset[str]()


def pip_audit(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def vulnerable(**members: object) -> dict[str, object]:
    found = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"]}
    return {"name": "one", "version": "1.0", "vulns": [found | members]}


# Put together here, so that this file is no finding itself.
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Sluice API key", mint_key(b"pepper")[0]),
        ("AWS Access Key", "AKIA" + "IOSFODNN7QWERTYU"),
        ("Private Key", "-----BEGIN RSA PRIVATE" + " KEY-----"),
        ("Basic Auth Credentials", "postgresql://writer:" + "correcthorse@db/sluice"),
        ("Slack Token", "https://hooks.slack.com/services/" + "T0123ABCD/B0123ABCD/" + "abcdefghij" + "ABCDEFGHIJ1234"),
        ("Hex High Entropy String", '"' + "".join(f"{(i * 89 + 7) % 256:02x}" for i in range(24)) + '"'),
    ],
    ids=lambda value: value.split()[0] if " " in value and len(value) < 30 else "text",
)
def test_secrets_are_found_by_kind_and_place(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "notes.py").write_text(
        f"# nothing\nurl = {text!r}\n" if '"' not in text else f"# nothing\nurl = {text}\n"
    )
    findings = scan(["notes.py"], tmp_path)
    assert (kind, 2) in [(finding.kind, finding.line) for finding in findings]
    assert text not in str(findings)


def test_usual_text_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text("password = settings.password\nurl = 'https://example.com/a?b=c'\n")
    assert scan(["notes.py"], tmp_path) == []


def test_files_that_git_does_not_know_are_not_looked_at(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("known.py", "unknown.py", "requirements.lock"):
        (tmp_path / name).write_text("")
    subprocess.run(["git", "add", "known.py", "requirements.lock"], cwd=tmp_path, check=True)
    assert tracked_files(tmp_path) == ["known.py"]


def test_exceptions_need_a_reason() -> None:
    with pytest.raises(ValueError, match="without a reason"):
        Exceptions.load('[[secret]]\npath = "a"\nsha1 = "b"\nreason = " "\n')
    with pytest.raises(ValueError, match="without a reason"):
        Exceptions.load('[[vulnerability]]\nid = "CVE-2026-1"\n')
    assert Exceptions.load('[[vulnerability]]\nid = "CVE-2026-1"\nreason = "not called"\n').vulnerabilities == {
        "CVE-2026-1"
    }


def test_vulnerabilities_of_python_packages() -> None:
    assert judge_python(pip_audit({"name": "one", "version": "1.0", "vulns": []}), NOBODY) == ([], "")
    found, unknown = judge_python(pip_audit(vulnerable(), {"name": "two", "skip_reason": "not found"}), NOBODY)
    assert found == ["one 1.0: PYSEC-2026-1, mended in 1.1"]
    assert unknown == "1 of 2 packages are not in the database"
    assert judge_python(pip_audit(vulnerable(fix_versions=[])), NOBODY)[0] == [
        "one 1.0: PYSEC-2026-1, mended in no release"
    ]
    assert judge_python(pip_audit(vulnerable()), frozenset({"CVE-2026-1"})) == ([], "")


def test_vulnerabilities_of_the_dashboards_packages() -> None:
    advisory = {"url": "https://github.com/advisories/GHSA-1", "title": "Too trusting"}
    report = json.dumps({"vulnerabilities": {"one": {"via": [advisory, "two"]}, "three": {"via": ["one"]}}})
    assert judge_node(report, NOBODY) == (["one: GHSA-1, Too trusting"], "")
    assert judge_node(report, frozenset({"GHSA-1"})) == ([], "")
    assert judge_node(json.dumps({"vulnerabilities": {}}), NOBODY) == ([], "")


@pytest.mark.parametrize("report", ["", "no JSON", "[]", '{"error": {"summary": "no network"}}', "null"])
def test_no_answer_is_not_taken_for_a_good_one(report: str) -> None:
    assert judge_python(report, NOBODY).unknown
    assert judge_node(report, NOBODY).unknown
