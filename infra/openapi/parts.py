"""What every route's description is made of."""

from typing import Any

from openapi.shapes import Json

KEYED: list[Json] = [{"key": []}, {"bearer": []}, {"basic": []}]
ADMITTED: list[Json] = [*KEYED, {"session": []}]
OPEN: list[Json] = []
READING = (401, 403, 503)


def operation(tag: str, name: str, summary: str, answer: Json, **keywords: Any) -> Json:
    """A route with one method."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": ADMITTED,
        "responses": answer,
        **keywords,
    }


def parameter(place: str, name: str, description: str, shape: Json, **keywords: Any) -> Json:
    """A parameter; ``place`` is query, path or header."""
    return {"name": name, "in": place, "description": description, "schema": shape, **keywords}


def query(name: str, description: str, shape: Json, **keywords: Any) -> Json:
    """A parameter behind the question mark."""
    return parameter("query", name, description, shape, **keywords)


def path(name: str, description: str, shape: Json) -> Json:
    """A part of the path."""
    return parameter("path", name, description, shape, required=True)
