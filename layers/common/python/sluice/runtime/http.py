"""Chalice under API Gateway: routes with and without a trailing slash, errors as problem+json (RFC 9457)."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics
from chalice.app import Chalice, Request, Response

from sluice.applications.credentials import challenge
from sluice.errors import ContractError, Denied, RejectedInput, Rejection, SluiceError, Throttled, Unavailable
from sluice.runtime.observability import count

_Handler = Callable[..., Response]
_JSON = "application/json"
_PROBLEM = "application/problem+json"
_SKEW_SECONDS = 30  # about what a deployment takes from its functions to its migrations


class HttpApi:
    """The routes of one function. Call it with a REST API proxy event."""

    def __init__(self, name: str, logger: Logger, metrics: Metrics) -> None:
        self._chalice = Chalice(app_name=name, configure_logs=False)
        self._logger, self._metrics = logger, metrics

    def route(self, method: str, path: str) -> Callable[[Callable[[Request], Response]], _Handler]:
        """Registers a view for any content type. Whatever it raises is answered as problem+json."""

        def register(view: Callable[[Request], Response]) -> _Handler:
            @wraps(view)
            def answer(**_: str) -> Response:
                return self._answer(view)

            self._chalice.route(path, methods=[method], content_types=["*/*"])(answer)
            return answer

        return register

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """The proxy answer to a proxy event."""
        event["requestContext"]["resourcePath"] = event["requestContext"]["resourcePath"].rstrip("/")
        return self._chalice(event, context)

    def _answer(self, view: Callable[[Request], Response]) -> Response:
        try:
            return view(self._request())
        except SluiceError as error:
            return self._problem(error)
        except Exception:  # the edge of the function: whatever it is, the client gets a problem, not a stack trace
            self._logger.exception("unexpected error")
            count(self._metrics, "error_internal_error", 1)
            return _problem_response(500, "internal_error", "Sluice failed; the request can be retried", {}, ())

    def _request(self) -> Request:
        return cast(Request, self._chalice.current_request)

    def _problem(self, error: SluiceError) -> Response:
        count(self._metrics, f"error_{error.code}", 1)
        match error:
            case RejectedInput():
                return _problem_response(error.status, error.code, error.detail, {}, error.rejections)
            case Denied():
                headers = {"WWW-Authenticate": challenge(self._request().headers)} if error.status == 401 else {}
                return _problem_response(error.status, error.code, error.detail, headers, ())
            case Throttled():
                return _problem_response(429, error.code, error.detail, _retry_after(error.retry_after_seconds), ())
            case Unavailable():
                self._logger.error("unavailable", extra={"code": error.code, "detail": error.detail})
                detail = "a server behind Sluice is down or full: retry later"
                return _problem_response(503, error.code, detail, _retry_after(error.retry_after_seconds), ())
            case ContractError():  # the middle of a deployment: clients give up on a 500, and this passes
                self._logger.error("versions do not match", extra={"code": error.code, "detail": error.detail})
                detail = "Sluice is being updated: retry later"
                return _problem_response(503, error.code, detail, _retry_after(_SKEW_SECONDS), ())
            case _:
                self._logger.error("internal error", extra={"code": error.code, "detail": error.detail})
                return _problem_response(500, error.code, "Sluice failed; the request can be retried", {}, ())


def jsonable(value: Any) -> Any:
    """``value`` with its datetimes as RFC 3339 text."""
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; empty without a body. Raises RejectedInput ``invalid_json``."""
    try:
        body = json.loads(request.raw_body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RejectedInput("invalid_json", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise RejectedInput("invalid_json", "the body must be a JSON object")
    return body


def json_response(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return _response(body, status, _JSON, headers or {})


def rejection_documents(rejections: tuple[Rejection, ...]) -> list[dict[str, Any]]:
    """Rejections as clients see them."""
    return [
        {"index": item.index, "pointer": item.pointer, "code": item.code, "detail": item.detail} for item in rejections
    ]


def _problem_response(
    status: int, code: str, detail: str, headers: Mapping[str, str], rejections: tuple[Rejection, ...]
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if rejections:
        body["errors"] = rejection_documents(rejections)
    return _response(body, status, _PROBLEM, headers)


def _response(body: Mapping[str, Any], status: int, content_type: str, headers: Mapping[str, str]) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(body=text, status_code=status, headers={"Content-Type": content_type, **headers})


def _retry_after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}
