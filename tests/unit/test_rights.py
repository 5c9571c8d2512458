"""Least privilege: what a function's code may call of AWS, found by following its imports, is what its role allows."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from deploy.target import REPOSITORY

LAYER = REPOSITORY / "layers" / "common" / "python"
RESOURCES: dict[str, Any] = yaml_parse((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))["Resources"]
FUNCTIONS = sorted(name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::Serverless::Function")
# IAM calls most actions like the operations of the API; these not.
ACTIONS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListObjectVersions"): "s3:ListBucketVersions",
    ("s3", "DeleteObjects"): "s3:DeleteObject",
    ("s3", "UploadPart"): "s3:PutObject",
    ("s3", "CreateMultipartUpload"): "s3:PutObject",
    ("s3", "CompleteMultipartUpload"): "s3:PutObject",
}
# Rights that an action needs beside its own: with an argument, or always.
MORE = {
    "s3:DeleteObjectVersion": ("s3:DeleteObject", "VersionId"),
    "s3:ListBucket": ("s3:GetObject", ""),  # or what is not there is answered as forbidden
}
SERVICES = frozenset(botocore.session.Session().get_available_services())
PREFIXES = {"sesv2": "ses"}
# What Lambda does in a function's name, and no code asks for: its log, and the queue of failed invocations.
OF_LAMBDA = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}


def modules(name: str) -> Iterator[Path]:
    """The file of a module of ours, and of the packages around it."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        base = LAYER.joinpath(*parts[:depth])
        yield from (path for path in (base / "__init__.py", base.with_suffix(".py")) if path.exists())


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reachable(folder: Path) -> dict[Path, ast.Module]:
    """Every file that the function may import, at any time."""
    trees: dict[Path, ast.Module] = {}
    waiting = sorted(folder.glob("*.py"))
    while waiting:
        path = waiting.pop()
        if path not in trees:
            trees[path] = ast.parse(path.read_text(encoding="utf-8"))
            waiting += [found for name in imports(trees[path]) if name.startswith("sluice") for found in modules(name)]
    return trees


def used(module: ast.Module, names: set[str]) -> ast.Module:
    """What these names of a module stand for, and what that needs of the module."""
    definitions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found: dict[str, ast.stmt] = {}
    waiting = names & definitions.keys()
    while waiting:
        name = waiting.pop()
        found[name] = definitions[name]
        mentioned = {node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)}
        waiting |= (mentioned & definitions.keys()) - found.keys()
    return ast.Module(list(found.values()), [])


def called_by(folder: Path) -> set[str]:
    """Actions of IAM that the function may need."""
    trees = reachable(folder)
    found: set[str] = set()
    for path, tree in trees.items():
        if path.name == "aws.py":
            module = ".".join(path.relative_to(LAYER).with_suffix("").parts)
            names = {
                name.rpartition(".")[2]
                for other in trees.values()
                for name in imports(other)
                if name.startswith(module)
            }
            found |= calls(used(tree, names))
    return found


@cache
def operations(service: str) -> dict[str, str]:
    """Operations of a service's API by the name of the client's method."""
    model = botocore.session.Session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def calls(tree: ast.AST) -> set[str]:
    """Actions of IAM for what code calls of the services that it names, also by paginators."""
    called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.func.attr for call in called if isinstance(call.func, ast.Attribute)}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    firsts = {call.args[0].value for call in called if call.args and isinstance(call.args[0], ast.Constant)}
    services = firsts & SERVICES
    arguments = {keyword.arg for call in called for keyword in call.keywords}
    needed = {
        ACTIONS.get((service, operation), f"{PREFIXES.get(service, service)}:{operation}")
        for service in map(str, services)
        for method, operation in operations(service).items()
        if method in names or ("get_paginator" in names and method in words)
    }
    return needed | {
        more for more, (action, argument) in MORE.items() if action in needed and argument in {*arguments, ""}
    }


def actions(node: object) -> Iterator[str]:
    """All actions anywhere in a role's policies."""
    if isinstance(node, dict):
        found = node.get("Action", [])
        yield from [found] if isinstance(found, str) else found
        for value in node.values():
            yield from actions(value)
    elif isinstance(node, list):
        for value in node:
            yield from actions(value)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_the_code_calls_and_no_more(function: str) -> None:
    properties = RESOURCES[function]["Properties"]
    role, _ = properties["Role"]["Fn::GetAtt"]
    allowed = set(actions(RESOURCES[role]["Properties"]["Policies"]))
    assert called_by(REPOSITORY / properties["CodeUri"]) == allowed - OF_LAMBDA


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_is_one_functions(function: str) -> None:
    role = RESOURCES[function]["Properties"]["Role"]
    assert [name for name in FUNCTIONS if RESOURCES[name]["Properties"]["Role"] == role] == [function]


def test_calls_are_found() -> None:
    source = """
client = boto3.client("s3")
client.put_object(Bucket="b")
client.get_paginator("list_objects_v2")
client.irrelevant()
"""
    assert calls(ast.parse(source)) == {"s3:PutObject", "s3:ListBucket"}
    assert calls(ast.parse('boto3.client("s3").delete_object(VersionId="1")')) == {
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    }
    assert calls(ast.parse("client.put_object()")) == set()
