"""Two releases of the functions side by side: this one, and an earlier one as git has it."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from io import BytesIO
from multiprocessing import Pipe
from pathlib import Path

from faults.harness.lambdas import Environment, Lambdas

REPOSITORY = Path(__file__).resolve().parents[3]
# The first one that keeps the promises that releases make to each other from then on.
PREVIOUS = "645dc27add85cfb498a92fabc47bc404e4aacc3a"
FOLDERS = ("functions", "layers", "tests", "infra", "localstack")
_SERVE = """
import json, sys
from multiprocessing.connection import Connection
from pathlib import Path
from faults.harness.environment import serve
number, verb, log = sys.argv[1:]
pipe = Connection(int(number))
pipe.send("ready")  # imports are not counted against the function's time on Lambda either
serve(pipe, verb, json.loads(sys.stdin.read()), Path(log))
"""


def check_out(commit: str, folder: Path) -> Path | None:
    """The commit's files in ``folder``; None where git does not have it, as in a shallow clone."""
    command = ["git", "archive", commit, *FOLDERS]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


class _Process:
    """A subprocess with what the harness asks of a process of multiprocessing."""

    def __init__(self, started: subprocess.Popen[str]) -> None:
        self._started = started

    @property
    def exitcode(self) -> int | None:
        return self._started.poll()

    def is_alive(self) -> bool:
        return self._started.poll() is None

    def kill(self) -> None:
        self._started.kill()

    def join(self) -> None:
        self._started.wait()


class ReleasedEnvironment(Environment):
    """One process of the release in ``root``, which imports nothing of this one."""

    def __init__(self, root: Path, verb: str, environ: Mapping[str, str], log: Path) -> None:
        self.root = root
        self._pipe, child = Pipe()
        paths = [root / name for name in ("layers/common/python", "tests", "infra", "localstack")]
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(child.fileno()), verb, str(log)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
            pass_fds=[child.fileno()],
            stdin=subprocess.PIPE,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps(dict(environ)))
        process.stdin.close()
        child.close()
        self.process = _Process(process)  # type: ignore[assignment]
        assert self._pipe.recv() == "ready"


class MixedLambdas(Lambdas):
    """``choose`` says which release the next invocation of a function meets: None is this one."""

    choose: Callable[[str], Path | None] = staticmethod(lambda verb: None)

    def _take(self, verb: str) -> Environment:
        root = self.choose(verb)
        with self._lock:
            fitting = [one for one in self._idle[verb] if getattr(one, "root", None) == root]
            for environment in fitting:
                self._idle[verb].remove(environment)
                if environment.process.is_alive():
                    return environment
        if root is None:
            return Environment(verb, self.environ[verb], self.log)
        return ReleasedEnvironment(root, verb, self.environ[verb], self.log)
