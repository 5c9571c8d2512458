"""The layer as `sam build` makes it, and what each function imports from it at a cold start.

Modules are counted, not milliseconds: counts say the same on every machine. Each import runs in an interpreter of its
own that sees the standard library, the built layer and one function, so it also proves that the layer is complete.
"""

import dis
import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType

import pytest

from benchmarks.figures import FIGURES, FUNCTIONS
from deploy import build
from deploy.progress import step
from deploy.target import REPOSITORY

LIMIT_MEGABYTES = 20
# Modules that importing each function loads. A number may be raised, for a reason that its commit gives.
MODULES = {
    "alerts": 397,
    "watch": 394,
    "ingest": 340,
    "drain": 522,
    "process_chunk": 327,
    "query": 411,
    "admin": 220,
    "index": 205,
    "deliver": 182,
    "archive": 545,
    "dashboard": 300,
}
ALLOWANCE = 10  # between patch releases of Python
# What these take (225 ms and 160 ms) is paid at every cold start; drain invokes another function, archive has
# its objects in S3.
TOO_SLOW = {"boto3", "botocore", "pydantic"}
PART_OF_THE_RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
SOURCES = (*(REPOSITORY / "functions").rglob("*.py"), *(REPOSITORY / "layers/common/python").rglob("*.py"))
CALLERS = [path for path in SOURCES if "        crash_point(" in path.read_text()]
REPORT_IMPORTS = """
import json, sys
sys.dont_write_bytecode = True
sys.path[:0] = sys.argv[1:]
before = set(sys.modules)
import app
print(json.dumps({"handler": callable(app.handler), "modules": sorted(set(sys.modules) - before)}))
"""
IMPORT_EVERYTHING = """
import pkgutil, sys
sys.dont_write_bytecode = True
sys.path[:0] = sys.argv[1:]
import sluice
from backports import zstd
names = [module.name for module in pkgutil.walk_packages(sluice.__path__, "sluice.")]
for name in names:
    __import__(name)
print(len(names))
"""


@pytest.fixture(scope="session")
def layer() -> Path:
    """Folder of the built layer's packages; built now if its sources have changed."""
    with build.exclusive(), step("build") as current:
        build.build(current, build.layer_platform(runs_here=True))
    return build.LAYER


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what Lambda has installed beside Python: the AWS SDK."""
    installed = Path(sysconfig.get_path("purelib"))
    folder = tmp_path_factory.mktemp("runtime")
    for name in PART_OF_THE_RUNTIME:
        (folder / name).symlink_to(installed / name)
    return folder


def imported(verb: str, *folders: Path) -> set[str]:
    """Names of the modules that importing the function loads."""
    paths = [str(path) for path in (REPOSITORY / "functions" / verb, *folders)]
    command = [sys.executable, "-I", "-S", "-c", REPORT_IMPORTS, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"functions/{verb} cannot be imported from the built layer:\n{done.stderr}"
    report = json.loads(done.stdout)
    assert report["handler"]
    return set(report["modules"])


def test_layer_is_small(layer: Path) -> None:
    assert build.layer_megabytes() <= LIMIT_MEGABYTES


def test_layer_holds_what_it_runs_on_and_no_more(layer: Path) -> None:
    names = {path.name for path in layer.iterdir() if not path.name.endswith((".dist-info", ".libs"))}
    assert names == {
        "aws_lambda_powertools",
        "backports",
        "chalice",
        "deflate",
        "google",
        "jmespath",
        "msgspec",
        "opentelemetry",
        "psycopg2",
        "redis",
        "sluice",
        "typing_extensions.pyc",
    }


def test_the_layer_of_the_client_holds_the_client_alone(layer: Path) -> None:
    content = layer.parents[1] / "LoggingLayer" / "python"
    assert [path.name for path in content.iterdir()] == ["sluice_logging"]
    assert (content / "sluice_logging" / "__init__.py").exists()


def test_layer_is_compiled(layer: Path) -> None:
    """Lambda cannot write bytecode into it, and would compile at every cold start."""
    ours = layer / "sluice"
    sources, compiled = list(layer.rglob("*.py")), list(ours.rglob("*.opt-1.pyc"))
    assert all(source.is_relative_to(ours) for source in sources)
    assert len(sources) == len(compiled) > 0


def test_libraries_are_bytecode_alone(layer: Path) -> None:
    """Their sources would be a fifth of the layer."""
    compiled = {path.parent.relative_to(layer).parts[0] for path in layer.rglob("*.pyc") if path.parent != layer}
    assert compiled >= {
        "aws_lambda_powertools",
        "chalice",
        "deflate",
        "google",
        "msgspec",
        "psycopg2",
        "redis",
        "sluice",
    }


@pytest.mark.parametrize("source", sorted(CALLERS), ids=lambda path: "/".join(path.parts[-2:]))
def test_the_deployed_bytecode_has_no_crash_points(source: Path) -> None:
    text = source.read_text()
    assert "crash_point(" in _disassembled(text, optimize=0)
    assert "crash_point(" not in _disassembled(text, optimize=1)


def _disassembled(text: str, *, optimize: int) -> str:
    """Names that the code calls, as `name(`; those it merely imports are not in it."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME")
    codes = [compile(text, "source", "exec", optimize=optimize)]
    names: list[str] = []
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        names += [f"{item.argval}(" for item in dis.get_instructions(code) if item.opname in loads]
    return " ".join(names)


def test_every_module_finds_its_libraries(layer: Path, runtime: Path) -> None:
    """Those that a function imports later, too: OTLP's readers, zstd."""
    command = [sys.executable, "-I", "-S", "-c", IMPORT_EVERYTHING, str(layer), str(runtime)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.parametrize("verb", sorted(MODULES))
def test_cold_import_stays_within_its_ledger(verb: str, layer: Path, runtime: Path) -> None:
    modules = imported(verb, layer, runtime)
    assert len(modules) <= MODULES[verb] + ALLOWANCE, f"{len(modules)} modules; new here? {sorted(modules)}"


def test_every_function_has_a_ledger_and_the_benchmark_the_same() -> None:
    assert MODULES.keys() == {*FUNCTIONS}
    targets = {figure.key: figure.target for figure in FIGURES}
    assert targets["layer_mb"] == LIMIT_MEGABYTES
    for verb in ("ingest", "process_chunk"):
        assert targets[f"{verb}_modules"] == MODULES[verb] + ALLOWANCE


@pytest.mark.parametrize("verb", sorted(MODULES.keys() - {"drain", "archive"}))
def test_cold_import_needs_no_slow_package(verb: str, layer: Path) -> None:
    """Not even where they are installed: they are not, here."""
    assert not imported(verb, layer) & TOO_SLOW
