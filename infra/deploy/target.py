"""Where a deployment goes: the stage, the AWS environment and the files that belong to it."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
LOCAL_STAGE = "local"
SHELL_VARIABLES = "env"


@dataclass(frozen=True)
class Target:
    """One stage in one place.

    `endpoint_url` is None on AWS. `state` is the embedded stack's directory, None if the stage is not on that stack.
    """

    stage: str
    endpoint_url: str | None
    state: Path | None

    @property
    def stack_name(self) -> str:
        return f"sluice-{self.stage}"

    @property
    def secret_name(self) -> str:
        return f"sluice/{self.stage}/connections"

    @property
    def directory(self) -> Path:
        """Where outputs and logs of this target go: two stacks on one machine have a `local` stage each."""
        return self.state or BUILD

    @property
    def log(self) -> Path:
        return self.directory / f"deploy-{self.stage}.log"

    @property
    def outputs(self) -> Path:
        return self.directory / f"outputs-{self.stage}.json"


def read_variables(path: Path) -> dict[str, str]:
    """Variables of a file of `export NAME=value` lines; none if there is no such file."""
    try:
        words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    except FileNotFoundError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def write_variable(path: Path, name: str, value: str) -> None:
    """Set one variable in a file of `export` lines, in place of an earlier value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(f"export {name}=")]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text("\n".join([*kept, f"export {name}={shlex.quote(value)}", ""]), encoding="utf-8")
    draft.replace(path)


def resolve(stage: str, state: Path, environ: Mapping[str, str]) -> tuple[Target, dict[str, str]]:
    """The target, and the AWS variables to add to `environ` for it.

    An endpoint in `environ` wins. Without one, stage local means the embedded stack whose directory is `state`, and any
    other stage means AWS: nobody deploys "local" there by accident. Raises DeployError if that stack was never started.
    """
    endpoint_url = environ.get("AWS_ENDPOINT_URL")
    if stage != LOCAL_STAGE:
        return Target(stage, endpoint_url, None), {}
    own = read_variables(state / SHELL_VARIABLES)
    if endpoint_url is None and not own:
        raise DeployError(f"no local stack in {state}: run `make up`, or set AWS_ENDPOINT_URL, or deploy another stage")
    if endpoint_url in (None, own.get("AWS_ENDPOINT_URL")):
        return Target(stage, own["AWS_ENDPOINT_URL"], state), own
    return Target(stage, endpoint_url, None), {}
