"""JSON Schemas in a word each."""

from collections.abc import Iterable, Mapping
from typing import Any

type Json = dict[str, Any]


def text(**keywords: Any) -> Json:
    """A string."""
    return {"type": "string", **keywords}


def integer(**keywords: Any) -> Json:
    """A whole number."""
    return {"type": "integer", **keywords}


def words(names: Iterable[str], **keywords: Any) -> Json:
    """One of some strings."""
    return text(enum=list(names), **keywords)


def array(items: Json, **keywords: Any) -> Json:
    """A list of ``items``."""
    return {"type": "array", "items": items, **keywords}


def members(properties: Mapping[str, Json], *, optional: Iterable[str] = (), **keywords: Any) -> Json:
    """An object that has all properties but the ``optional`` ones, and no others unless ``additionalProperties``."""
    required = [name for name in properties if name not in set(optional)]
    shape = {"type": "object", "additionalProperties": False, **keywords, "properties": dict(properties)}
    return shape | ({"required": required} if required else {})


def or_null(shape: Json) -> Json:
    """The same, or null."""
    nullable = shape | {"type": [shape["type"], "null"]}
    return nullable | ({"enum": [*shape["enum"], None]} if "enum" in shape else {})


def schema(name: str) -> Json:
    """A schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def response(name: str) -> Json:
    """A response of the document."""
    return {"$ref": f"#/components/responses/{name}"}


TIME = text(format="date-time")
COUNT = integer(minimum=0)
