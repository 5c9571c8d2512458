"""The document as a whole."""

import json

from openapi.paths import paths
from openapi.responses import responses
from openapi.schemas import schemas
from openapi.shapes import Json

_INTRODUCTION = (
    "Errors are `application/problem+json` with a stable `code` (OTLP's: `google.rpc.Status`). 400 to 422 are final; "
    "429 and 503 carry `Retry-After`. The gateway in front may answer 500, 502 or 504 of its own: whether the request "
    "was taken is then unknown, and an Idempotency-Key makes it safe to send it again."
)
_SESSION = "Of the dashboard; requests that change something need the header `X-Sluice-Page: 1`, too."


def document() -> Json:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": "0.1.0",
            "summary": "Send application logs, read them back, administer who may.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./", "description": "Where this document was found."}],
        "tags": [
            {"name": "logs", "description": "Need a key with the scope ingest, or read."},
            {"name": "operations", "description": "How the platform is doing."},
            {"name": "alerts", "description": "What is watched for, and what came of it."},
            {"name": "dashboard", "description": "The page, and signing in to it."},
            {"name": "administration", "description": "Need a key with the scope admin, of whatever application."},
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "responses": responses(),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The key is the password."},
                "session": {"type": "apiKey", "in": "cookie", "name": "sluice_session", "description": _SESSION},
            },
        },
    }


def rendered() -> str:
    """The text of functions/query/openapi.json: a line for each route and component."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
