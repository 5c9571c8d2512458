"""Whether what was saved can run at all: it must compile, and the handlers must be there after an import.

The import happens in a process of its own, under the interpreter that runs the functions, with the built layer's
libraries: a name that only the developer's environment has fails here as it would on Lambda.
"""

import os
import subprocess
import traceback
from collections.abc import Collection
from pathlib import Path

from dev.errors import BrokenSource
from dev.sources import Sources

IMPORT_PATIENCE_SECONDS = 20
_IMPORT = """
import importlib.util, sys, traceback
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("app", folder + "/app.py")
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.handler
    except BaseException as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
        print("Traceback (most recent call last):", *traceback.format_list(frames), sep="\\n", file=sys.stderr)
        sys.exit("".join(traceback.format_exception_only(error)))
    sys.path.remove(folder)
    for name, module in list(sys.modules.items()):  # files of one name stand beside several functions
        if (getattr(module, "__file__", None) or "").startswith(folder + "/"):
            del sys.modules[name]
"""


def compile_all(files: Collection[Path]) -> None:
    """Raises BrokenSource with the traceback of the first file that is no Python."""
    for file in files:
        try:
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        except FileNotFoundError:
            continue  # deleted by what was saved, or replaced just now
        except (SyntaxError, ValueError) as error:
            raise BrokenSource("".join(traceback.format_exception_only(error))) from error


def import_handlers(sources: Sources, verbs: Collection[str], python: Path, libraries: Path) -> None:
    """Import the functions; raises BrokenSource with the traceback of the first that fails.

    `libraries` is the built layer, whose own sluice stands behind the working tree's. Nothing is written.
    """
    folders = [str(sources.functions / verb) for verb in sorted(verbs)]
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join([str(sources.layer), str(libraries)]),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [str(python), "-O", "-B", "-c", _IMPORT, *folders]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=IMPORT_PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise BrokenSource(f"importing {', '.join(verbs)} takes more than {IMPORT_PATIENCE_SECONDS} s\n") from None
    if done.returncode:
        raise BrokenSource(done.stderr or f"the import ended with exit code {done.returncode}\n")
