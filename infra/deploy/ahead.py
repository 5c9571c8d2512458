"""What of a release's migrations must come before its functions: run by a function that exists for that alone.

The functions that are deployed do not know the new migrations, and those that know them come with the deployment. So a
copy of the new admin function, with the configuration of the deployed one, applies the migrations of the phase "pre";
these leave a schema that the functions of the release before work on, too.
"""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import invocations
from deploy.progress import Step
from deploy.target import REPOSITORY

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

MIGRATIONS = REPOSITORY / "layers" / "common" / "python" / "sluice" / "schema" / "migrations"
ADMIN, LAYER = "AdminFunction", "CommonLayer"
_SAME = ("Runtime", "Role", "Handler", "Timeout", "MemorySize", "Architectures", "KMSKeyArn", "LoggingConfig")


def migrations_hash() -> str:
    """Of all migrations of this release."""
    digest = hashlib.sha256()
    for path in sorted(MIGRATIONS.glob("*.sql")):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def migrate(functions: "LambdaClient", admin_function: str, built: Path, current: Step) -> None:
    """Apply the migrations that come before the functions; raises DeployError with the function's error.

    ``built`` is what `sam build` made. May be repeated. The function is deleted again, as is one that a killed
    deployment left."""
    name = f"{admin_function}-ahead"
    deployed = functions.get_function_configuration(FunctionName=admin_function)
    _delete(functions, name)
    options: dict[str, Any] = {key: deployed[key] for key in _SAME if deployed.get(key)}  # type: ignore[literal-required]
    network = deployed.get("VpcConfig", {})
    if network.get("SubnetIds"):
        options["VpcConfig"] = {key: network[key] for key in ("SubnetIds", "SecurityGroupIds")}
    try:
        current.show("making a function for it")
        functions.create_function(
            FunctionName=name,
            Code={"ZipFile": _bundle(built)},
            Environment={"Variables": deployed["Environment"]["Variables"]},
            **options,
        )
        functions.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
        invocations.migrate(functions, name, current, phases=("pre",))
    finally:
        _delete(functions, name)


def _bundle(built: Path) -> bytes:
    """The function with the layer's content, as a zip file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for folder in (built / LAYER / "python", built / ADMIN):
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    bundle.write(path, path.relative_to(folder))
    return content.getvalue()


def _delete(functions: "LambdaClient", name: str) -> None:
    try:
        functions.delete_function(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return
