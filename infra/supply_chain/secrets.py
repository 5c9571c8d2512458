"""Looks for secrets in the files that git knows, with the detectors of detect-secrets."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from supply_chain.exceptions import FILE, Exceptions

REPOSITORY = Path(__file__).parents[2]
HASHES_ONLY = (".lock", "package-lock.json", FILE.name)  # which all look like secrets

# Everything but public addresses, and words such as "password" before any text, which names fields more often than not.
_DETECTORS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_SETTINGS = {
    "plugins_used": [
        *({"name": name} for name in _DETECTORS),
        {"name": "Base64HighEntropyString", "limit": 4.5},  # bits a character; the library's own limits
        {"name": "HexHighEntropyString", "limit": 3.0},
        {"name": "SluiceKeyDetector", "path": (Path(__file__).with_name("sluice_key.py")).as_uri()},
    ],
    "filters_used": [
        {"path": f"detect_secrets.filters.heuristic.{name}"}
        for name in ("is_sequential_string", "is_potential_uuid", "is_templated_secret")
    ],
}


class Finding(NamedTuple):
    path: str
    line: int
    kind: str
    sha1: str


def tracked_files(repository: Path = REPOSITORY) -> list[str]:
    """Paths of all files in git's index, but those of hashes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    return [path for path in listed.split("\0") if path and not path.endswith(HASHES_ONLY)]


def scan(paths: Iterable[str], repository: Path = REPOSITORY) -> list[Finding]:
    """What looks like a secret in these files, in order."""
    found = SecretsCollection(root=str(repository))
    with transient_settings(_SETTINGS):
        for path in paths:
            found.scan_file(path)
        return sorted(Finding(path, one.line_number, one.type, one.secret_hash) for path, one in found)


def main() -> int:
    """Prints what is new, and what is an exception no longer; the exit status."""
    exceptions = Exceptions.load().secrets
    findings = scan(tracked_files())
    fresh = [finding for finding in findings if (finding.path, finding.sha1) not in exceptions]
    stale = exceptions - {(finding.path, finding.sha1) for finding in findings}
    for finding in fresh:
        print(f"{finding.path}:{finding.line}: {finding.kind} (sha1 {finding.sha1})")
    for path, sha1 in sorted(stale):
        print(f"{path}: the exception for {sha1} is not needed any more")
    if fresh:
        print("Take the secret out and have it revoked; if it is none, add it to infra/supply_chain/exceptions.toml.")
    return 1 if fresh or stale else 0
