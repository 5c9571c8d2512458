"""The routes of retention."""

from typing import Any

from openapi.parts import READING, operation, path
from openapi.responses import answers
from openapi.shapes import COUNT, Json, array, integer, members, or_null, schema, text
from sluice.entries.model import Level
from sluice.retention.parse import MAX_DAYS

_CLASS_NAME = schema("RetentionClassName")


def retention_paths() -> dict[str, Json]:
    """All routes of retention."""
    one = members({"retention_class": schema("RetentionClass")})
    every = members({"retention_classes": array(schema("RetentionClass"))})
    kept = members({"retention": schema("Retention")})
    return {
        "/api/retention-classes": {
            "get": _operation(
                "listRetentionClasses", "List retention classes", answers(200, "By name.", every, *READING)
            ),
            "post": _operation(
                "createRetentionClass",
                "Create a retention class",
                answers(201, "Created.", one, 400, 409, *READING),
                body=("NewRetentionClass", {"name": "long", "hot_days": 90, "archive_days": 730}),
            ),
        },
        "/api/retention-classes/{name}": {
            "parameters": [path("name", "Name of the class.", _CLASS_NAME)],
            "patch": _operation(
                "changeRetentionClass",
                "Change how long logs of a class are kept",
                answers(200, "As it is now.", one, 400, 404, *READING),
                "Holds for logs that are stored, too, from the next run of the archive on.",
                ("RetentionClassChange", {"hot_days": 60}),
            ),
        },
        "/api/applications/{name}/retention": {
            "parameters": [path("name", "Name of the application.", schema("ApplicationName"))],
            "get": _operation(
                "showRetention",
                "In which classes an application's logs are kept",
                answers(200, "Its own class, and those of levels that have another.", kept, 400, 404, *READING),
            ),
            "patch": _operation(
                "changeRetention",
                "Keep an application's logs in other classes",
                answers(200, "As it is now.", kept, 400, 404, *READING),
                "Holds for logs that are stored from now on (within 15 s). Null: as the application's own.",
                ("RetentionChange", {"levels": {"ERROR": "long", "DEBUG": "short"}}),
            ),
        },
    }


def retention_schemas() -> dict[str, Json]:
    """What their bodies and answers hold."""
    days: dict[str, Json] = {
        "hot_days": integer(
            minimum=1,
            maximum=MAX_DAYS,
            description="Whole days after the day of receipt in which logs can be searched.",
        ),
        "is_archived": {"type": "boolean", "description": "Whether logs are archived then, or else deleted."},
        "archive_days": or_null(
            integer(
                minimum=1,
                maximum=MAX_DAYS,
                description="From receipt on, until archived logs are deleted; null: never.",
            )
        ),
    }
    levels = {level.name: _CLASS_NAME for level in Level}
    changes = {level.name: or_null(_name()) for level in Level}
    change = {"retention_class": _CLASS_NAME, "levels": members(changes, optional=changes)}
    return {
        "RetentionClassName": _name(),
        "RetentionClass": members({"name": _CLASS_NAME, **days, "application_count": COUNT}),
        "NewRetentionClass": members({"name": _CLASS_NAME, **days}, optional=("is_archived", "archive_days")),
        "RetentionClassChange": members(days, optional=days, minProperties=1),
        "Retention": members(
            {"application": text(), "retention_class": _CLASS_NAME, "levels": members(levels, optional=levels)}
        ),
        "RetentionChange": members(change, optional=change, minProperties=1),
    }


def _name() -> Json:
    return text(pattern="^[a-z][a-z0-9-]{0,39}$")


def _operation(
    name: str, summary: str, answer: Json, description: str = "", body: tuple[str, dict[str, Any]] | None = None
) -> Json:
    keywords: dict[str, Any] = {"description": description} if description else {}
    if body:
        content = {"application/json": {"schema": schema(body[0]), "example": body[1]}}
        keywords["requestBody"] = {"required": True, "content": content}
    return operation("administration", name, summary, answer, **keywords)
