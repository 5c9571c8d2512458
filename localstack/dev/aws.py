"""Replacing deployed functions through the Lambda API.

A function's own code is replaced by an archive of its folder. For the length of a session, the layer is replaced by a
small one: it holds the working tree's package sluice, and takes the libraries from where the deployed layer was built.
Unpacking those for every new worker takes longer than all the rest. (In the function's own archive sluice would not be
found: the emulator looks into layers first.) The emulator ends the running workers of what is replaced.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from deploy import replaced
from dev.errors import DevError
from dev.sources import Sources, archive, layer_archive

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

UPDATE_PATIENCE_SECONDS = 30
LOOK_SECONDS = 0.02


def connect(service: Any, environment: Mapping[str, str]) -> Any:
    """A client of the emulator that the stack's environment names."""
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 3}, read_timeout=120),
    )


class DeployedFunctions:
    """The functions of one stage; `libraries` is the built layer, `kept` the directory that
    remembers what they were."""

    def __init__(self, client: "LambdaClient", stage: str, sources: Sources, libraries: Path, kept: Path) -> None:
        self._client, self._stage, self._sources = client, stage, sources
        self._libraries, self._kept = libraries, kept
        self._layer: str | None = None  # ARN of the layer version that holds the saved sluice

    def name(self, verb: str) -> str:
        return f"sluice-{self._stage}-{verb.replace('_', '-')}"

    @property
    def is_replaced(self) -> bool:
        """Whether anything runs in place of what was deployed."""
        return self._kept.exists()

    def replace_code(self, verb: str, content: bytes | None = None) -> None:
        """Run the folder's code, or that of another archive; returns when it is what the next request reaches."""
        name = self.name(verb)
        self._keep(name)
        content = content or archive(self._sources.functions / verb)
        self._client.update_function_code(FunctionName=name, ZipFile=content)
        wanted = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self._wait(name, lambda found: found["CodeSha256"] == wanted)

    def replace_layer(self, verbs: Collection[str]) -> None:
        """Run the working tree's sluice in all these functions."""
        published = self._client.publish_layer_version(
            LayerName=f"sluice-{self._stage}-dev", Content={"ZipFile": layer_archive(self._sources, self._libraries)}
        )
        previous, self._layer = self._layer, published["LayerVersionArn"]
        with ThreadPoolExecutor(len(verbs) or 1) as pool:
            list(pool.map(self._use_layer, verbs))
        if previous:
            name, _, version = previous.rpartition(":")
            self._client.delete_layer_version(LayerName=name, VersionNumber=int(version))

    def configure(self, verb: str, **changes: Any) -> None:
        """Change a function's configuration: Handler, Timeout, Environment (variables to add)."""
        name = self.name(verb)
        kept = self._keep(name)
        if "Environment" in changes:
            changes["Environment"] = {"Variables": kept["Environment"] | changes["Environment"]}
        self._client.update_function_configuration(FunctionName=name, **changes)
        self._wait(
            name, lambda found: all(found[key] == changes[key] for key in ("Handler", "Timeout") if key in changes)
        )

    def invoke(self, verb: str, payload: bytes, *, waits: bool = True) -> bytes:
        """Invoke it; returns its answer, nothing if that is not waited for."""
        kind: Any = "RequestResponse" if waits else "Event"
        answer = self._client.invoke(FunctionName=self.name(verb), InvocationType=kind, Payload=payload)
        return answer["Payload"].read()

    def restore(self) -> list[str]:
        """Put the deployment back as it was; returns the names of the functions."""
        return replaced.restore(self._client, self._kept)

    def _keep(self, name: str) -> dict[str, Any]:
        try:
            return replaced.keep(self._client, name, self._kept)
        except self._client.exceptions.ResourceNotFoundException:
            raise DevError(f"there is no function {name}: add it to template.yaml") from None

    def _use_layer(self, verb: str) -> None:
        assert self._layer is not None
        name, layers = self.name(verb), [self._layer]
        self._keep(name)
        self._client.update_function_configuration(FunctionName=name, Layers=layers)
        self._wait(name, lambda found: [layer["Arn"] for layer in found["Layers"]] == layers)

    def _wait(self, name: str, is_there: Callable[[dict[str, Any]], bool]) -> None:
        """Read back until the change is there and in force."""
        deadline = time.monotonic() + UPDATE_PATIENCE_SECONDS
        while True:
            found: Any = self._client.get_function_configuration(FunctionName=name)
            if found.get("LastUpdateStatus") == "Successful" and is_there(found):
                return
            if time.monotonic() > deadline:
                raise DevError(
                    f"{name} is still {found.get('LastUpdateStatus')}: {found.get('LastUpdateStatusReason')}"
                )
            time.sleep(LOOK_SECONDS)
