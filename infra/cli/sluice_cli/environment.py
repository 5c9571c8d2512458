"""Where the commands find the platform: options, environment variables, or the embedded stack's env file.

The only module of the command line that knows variable names.
"""

import ipaddress
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sluice_cli.errors import SettingsError

ENV_FILE = Path("build/stack/env")
KEY_VARIABLE = "SLUICE_API_KEY"
DEFAULT_STAGE = "local"
DEFAULT_REGION = "us-east-1"
# Any of these says where the platform is, so that the env file of a local stack must not interfere.
_TARGET_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "SLUICE_URL")
_STAGE_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class Environment:
    """What a command was told. `url` and `key` are None where nobody gave one."""

    stage: str
    url: str | None
    key: str | None = field(repr=False)
    variables: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def endpoint_url(self) -> str | None:
        """The AWS endpoint that was set, None for the cloud's own."""
        return self.variables.get("AWS_ENDPOINT_URL") or None

    @property
    def local_endpoint(self) -> str | None:
        """The AWS endpoint if it is on this machine, else None."""
        endpoint = self.endpoint_url
        return endpoint if endpoint and is_loopback(endpoint) else None

    @property
    def region(self) -> str | None:
        """The AWS region that was set, None to leave the choice to the AWS profile."""
        return self.variables.get("AWS_REGION") or self.variables.get("AWS_DEFAULT_REGION")

    @property
    def stack_name(self) -> str:
        """Name of the CloudFormation stack of this stage."""
        return f"sluice-{self.stage}"

    def function_name(self, verb: str) -> str:
        """Physical name of a function of this stage, e.g. "sluice-local-drain"."""
        return f"{self.stack_name}-{verb}"


def load(
    environ: Mapping[str, str],
    directory: Path,
    *,
    stage: str | None = None,
    url: str | None = None,
    key: str | None = None,
) -> Environment:
    """Settings from options first, then `environ`, then the env file found from `directory` upwards.

    The file is read only if neither an option nor a variable says where the platform is: its key would be sent
    to somebody else's URL otherwise. Raises SettingsError.
    """
    variables = dict(environ)
    if not url and not any(environ.get(name) for name in _TARGET_VARIABLES):
        file = find_env_file(directory)
        if file is not None:
            found = read_env_file(file)
            wanted = stage or environ.get("SLUICE_STAGE")
            variables = merged(environ, found if wanted in (None, "", _stage(found)) else _without_stage(found))
    _check_endpoint(variables.get("AWS_ENDPOINT_URL"))
    return Environment(
        stage=_checked_stage(stage or _stage(variables)),
        url=_checked_url(url or variables.get("SLUICE_URL")),
        key=key or variables.get(KEY_VARIABLE) or None,
        variables=variables,
    )


def merged(environ: Mapping[str, str], file: Mapping[str, str]) -> dict[str, str]:
    """`environ` with the file's values; the shell wins for SLUICE_*, the file for the rest.

    Endpoint, region and credentials of a local stack belong together: real ones must not be mixed in.
    """
    own = {name: value for name, value in environ.items() if name.startswith("SLUICE_") and value}
    return {**environ, **file, **own}


def _stage(variables: Mapping[str, str]) -> str:
    return variables.get("SLUICE_STAGE") or DEFAULT_STAGE


def _without_stage(file: Mapping[str, str]) -> dict[str, str]:
    """The place alone: URL and key in the file are those of the file's stage, and another one is wanted."""
    return {name: value for name, value in file.items() if not name.startswith("SLUICE_")}


def find_env_file(directory: Path) -> Path | None:
    """The env file of the embedded stack in `directory` or the nearest parent that has one."""
    candidates = (folder / ENV_FILE for folder in (directory, *directory.parents))
    return next((file for file in candidates if file.is_file()), None)


def read_env_file(file: Path) -> dict[str, str]:
    """Variables from shell lines `export NAME=VALUE`; other lines are passed over. Raises SettingsError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot read {file}: {error}", "Run `make up` to have it written again.") from error
    pairs = [parts[1] for parts in words if len(parts) == 2 and parts[0] == "export" and "=" in parts[1]]
    return dict(pair.split("=", 1) for pair in pairs)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_stage(stage: str) -> str:
    if not _STAGE_PATTERN.fullmatch(stage):
        raise SettingsError(
            f"Stage {stage!r} is no valid name",
            "Use lower-case letters, digits and dashes, beginning with a letter, e.g. --stage local.",
        )
    return stage


def _checked_url(url: str | None) -> str | None:
    if url and not _is_url(url):
        raise SettingsError(f"{url!r} is no API URL", "Give --url or SLUICE_URL as https://host/path.")
    return url.rstrip("/") if url else None


def _check_endpoint(url: str | None) -> None:
    if url and not _is_url(url):
        raise SettingsError(f"{url!r} is no URL of an AWS endpoint", "Correct AWS_ENDPOINT_URL, or unset it.")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and parts.port != 0
    except ValueError:  # of the port, too
        return False
