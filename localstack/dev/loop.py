"""What happens on a save: check it, replace what it changes, say so."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from dev import checks
from dev.aws import DeployedFunctions
from dev.debugger import Debugger
from dev.errors import BrokenSource, DevError
from dev.sources import Changes, Sources, classify

# As the deploy tool does: an update ends a running drain, and the schedule's next may be a minute away.
DRAIN_EVENT = json.dumps({"ticks": 6, "tick_seconds": 10}).encode()


@dataclass
class Loop:
    """One session. `python` runs the functions; `libraries` is the built layer."""

    sources: Sources
    functions: DeployedFunctions
    console: Console
    python: Path
    libraries: Path
    deploy: "Deploy"
    debugger: Debugger | None = None

    def saved(self, paths: Iterable[Path]) -> None:
        """React to changed files. Whatever is wrong with them is shown, and what ran before goes on running."""
        paths = list(paths)
        changes = classify(self.sources, paths)
        if not changes:
            return
        started = time.monotonic()
        try:
            self._check(changes, paths)
            updated = self._deploy() if changes.needs_deploy else self._replace(changes)
        except BrokenSource as error:
            self.console.print(str(error).rstrip(), style="red", markup=False, soft_wrap=True)
            self._say(f"not updated: {_names(changes)} would not start; the version before goes on running", "bold red")
        except (DevError, BotoCoreError, ClientError) as error:
            self._say(f"not updated: {error}", "bold red")
        else:
            self._say(f"{updated} updated in {time.monotonic() - started:.1f} s", "bold green")

    def _check(self, changes: Changes, paths: list[Path]) -> None:
        checks.compile_all([path for path in paths if path.suffix == ".py"])
        # A deployment takes all functions along, also one that was saved broken.
        concerns_all = changes.is_layer or self.sources.template in paths
        verbs = self.sources.verbs() if concerns_all else sorted(changes.verbs)
        if verbs:
            checks.import_handlers(self.sources, verbs, self.python, self.libraries)

    def _replace(self, changes: Changes) -> str:
        in_debugger = {self.debugger.verb} if self.debugger else set()
        for verb in changes.verbs - in_debugger:
            self.functions.replace_code(verb)
        if changes.is_layer:
            self.functions.replace_layer([verb for verb in self.sources.verbs() if verb not in in_debugger])
        if self.debugger and (changes.is_layer or changes.verbs & in_debugger):
            self.debugger.restart()
        if changes.is_layer or "drain" in changes.verbs:
            self.functions.invoke("drain", DRAIN_EVENT, waits=False)
        return _names(changes)

    def _deploy(self) -> str:
        self._say("template or build changed: deploying", "bold")
        try:
            self.deploy()
        except DevError:
            if not self.functions.is_replaced:  # it had put back what was deployed before it failed
                for verb in self.sources.verbs():
                    self.functions.replace_code(verb)
                self._resume()
            raise
        self._resume()
        return "the deployment"

    def _resume(self) -> None:
        """What a session replaces at its start."""
        self.functions.replace_layer(self.sources.verbs())
        if self.debugger:
            self.debugger.start()

    def _say(self, text: str, style: str) -> None:
        self.console.print(f"dev: {text}", style=style, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class Deploy:
    """A real deployment, by the deploy tool."""

    repository: Path
    state: Path
    environ: Mapping[str, str]

    def __call__(self) -> None:
        """Raises DevError if it fails; the tool has said why."""
        command = [sys.executable, "-m", "deploy", "up", "--state", str(self.state)]
        environment = dict(self.environ) | {"PYTHONPATH": str(self.repository / "infra")}
        if subprocess.run(command, cwd=self.repository, env=environment, check=False).returncode:
            raise DevError("the deployment failed, see above")


def _names(changes: Changes) -> str:
    names = sorted(changes.verbs)
    return ", ".join(["layer", *names] if changes.is_layer else names) or "template.yaml"
