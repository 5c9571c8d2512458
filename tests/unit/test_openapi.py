"""The OpenAPI document against the code and the template."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types
from schemathesis.specs.openapi.definitions import OPENAPI_31

from deploy.target import REPOSITORY
from openapi.document import document, rendered

DOCUMENT = document()
METHODS = {"get", "post", "put", "patch", "delete"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in sorted(item.keys() & METHODS):
            yield method, path, item[method]


def resolved(value: Any) -> Any:
    """With references replaced by what they refer to."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        _, _, kind, name = value["$ref"].split("/")
        return resolved(DOCUMENT["components"][kind][name])
    return {key: resolved(item) for key, item in value.items()}


def test_what_is_served_is_what_the_code_says() -> None:
    served = (REPOSITORY / "functions/query/openapi.json").read_text(encoding="utf-8")
    assert served == rendered(), "run `make openapi`"


def mistakes(schema: dict[str, Any], value: Any) -> list[str]:
    """What does not fit the schema."""
    from jsonschema import Draft202012Validator  # takes a second, which not every test process need spend

    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def test_it_is_openapi_3_1() -> None:
    assert mistakes(OPENAPI_31, DOCUMENT) == []


def test_it_has_the_routes_that_are_deployed() -> None:
    template = yaml_parse((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))
    events = [
        event["Properties"]
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    deployed = {(event["Method"].lower(), event["Path"]) for event in events}
    assert {(method, path) for method, path, _ in operations()} == deployed


def test_every_operation_says_how_it_fails() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for _, _, operation in operations():
        statuses = operation["responses"].keys()
        if operation["operationId"] not in ("openapi", "queryLanguage"):  # they need nothing but the function
            assert "503" in statuses
        if operation["security"]:
            assert {"401", "403"} <= statuses


def examples(operation: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Schema and value of each example: bodies, parameters, schemas' own."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        values = [media["example"]] if "example" in media else []
        values += [example["value"] for example in media.get("examples", {}).values()]
        yield from ((media["schema"], value) for value in values)
    for parameter in operation.get("parameters", []):
        if "example" in parameter:
            yield parameter["schema"], parameter["example"]


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()), ids=lambda value: str(value)[:40])
def test_examples_fit_their_schemas(method: str, path: str, operation: dict[str, Any]) -> None:
    for shape, value in examples(operation):
        assert mistakes(resolved(shape), value) == []


def test_codes_are_found() -> None:
    codes = DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"]
    known = {"invalid_key", "body_too_large", "backlog_full", "gateway_throttled", "invalid_since", "no_such_route"}
    assert known <= set(codes)
    assert json.dumps(codes) == json.dumps(sorted(set(codes)))
