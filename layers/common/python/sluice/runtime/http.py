"""Chalice under API Gateway: routes with and without a trailing slash, errors as problem+json (RFC 9457) or in the form
that a route's protocol demands."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, cast

import msgspec
from chalice.app import Chalice, Request, Response

from sluice.applications.credentials import challenge
from sluice.errors import ContractError, Denied, RejectedInput, Rejection, SluiceError, Throttled, Unavailable
from sluice.metrics.model import Sample
from sluice.metrics.ports import MetricStore
from sluice.runtime.observability import Logger, Metrics, Recurrences, keep, told

_View = Callable[[Request], Response]
_Shortcut = Callable[[dict[str, Any]], dict[str, Any] | None]
_JSON = "application/json"
_NO_HEADERS: dict[str, Any] = {"headers": {}}
_PROBLEM = "application/problem+json"
_SKEW_SECONDS = 30  # about what a deployment takes from its functions to its migrations
_POLICY_TYPES = {  # of problems that name the limits they are about
    429: "https://iana.org/assignments/http-problem-types#quota-exceeded",
    503: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
}
MAX_JSON_BYTES = 131_072  # of a body with one JSON object; ingest has limits of its own
MAX_LISTED_REJECTIONS = 1_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error on its way to the client."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    rejections: tuple[Rejection, ...] = ()
    policies: tuple[str, ...] = ()  # names of the limits that were exceeded
    members: Mapping[str, Any] = field(default_factory=dict)  # of a problem, besides its own


_Refuse = Callable[[Request, Refusal], Response]


class HttpApi:
    """The routes of one function. Call it with a REST API proxy event. ``store`` gives what keeps its errors' count."""

    def __init__(
        self, name: str, logger: Logger, metrics: Metrics, store: Callable[[], MetricStore] | None = None
    ) -> None:
        self._chalice = Chalice(app_name=name, configure_logs=False)
        # Chalice refuses a binary answer unless the request's Accept asks for it; here bytes are binary, whoever asks.
        self._chalice.api.binary_types = []
        self._views: dict[tuple[str, str], _View] = {}
        self._shortcuts: dict[tuple[str, str], tuple[_Shortcut, _Refuse]] = {}
        self._name, self._logger, self._metrics, self._store = name, logger, metrics, store
        self._throttled = Recurrences()  # the detail names the application

    def route(
        self, method: str, path: str, refuse: _Refuse | None = None, shortcut: _Shortcut | None = None
    ) -> Callable[[_View], _View]:
        """Registers a view for any content type, once or for several paths. Whatever it raises is answered by
        ``refuse``, by default as problem+json.

        A ``shortcut`` is asked first, with the event as it came: it returns the proxy answer, raises as the view would,
        or returns None, and nothing has happened."""
        refuse = refuse or _problem_response

        def register(view: _View) -> _View:
            def answer(request: Request) -> Response:
                return self._answer(view, refuse, request)

            @wraps(view)
            def answer_current(**_: str) -> Response:
                return answer(cast(Request, self._chalice.current_request))

            self._chalice.route(path, methods=[method], content_types=["*/*"])(answer_current)
            self._views[method, path] = answer
            if shortcut is not None:
                self._shortcuts[method, path] = shortcut, refuse
            return view

        return register

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """The proxy answer to a proxy event."""
        about = event["requestContext"]
        about["resourcePath"] = about["resourcePath"].rstrip("/") or "/"
        route = about["httpMethod"], about["resourcePath"]
        if route in self._shortcuts:
            answer = self._short(event, context, *self._shortcuts[route])
            if answer is not None:
                return answer
        view = self._views.get(route)
        if view is None:
            return self._chalice(event, context)  # which knows how to say so
        # Chalice's own dispatch checks with each request what routes of ours never use.
        answer = view(_request(event, context)).to_dict()
        if isinstance(answer["body"], bytes):
            answer |= {"body": b64encode(answer["body"]).decode(), "isBase64Encoded": True}
        return answer

    def _short(self, event: dict[str, Any], context: Any, shortcut: _Shortcut, refuse: _Refuse) -> Any:
        try:
            return shortcut(event)
        except Exception as error:  # noqa: BLE001  # logged there
            return self._failed(error, refuse, _request(event, context)).to_dict()

    def _answer(self, view: _View, refuse: _Refuse, request: Request) -> Response:
        try:
            return view(request)
        except Exception as error:  # noqa: BLE001  # logged there
            return self._failed(error, refuse, request)

    def _failed(self, error: Exception, refuse: _Refuse, request: Request) -> Response:
        if isinstance(error, SluiceError):
            self._count(error)
            refusal = self._refusal(request, error)
            headers = {**refusal.headers, **error.headers}
            named = replace(refusal, headers=headers, policies=error.policies, members=error.members)
            return refuse(request, named)
        # The edge of the function: whatever it is, the client gets a problem, not a stack trace.
        self._logger.error("unexpected error", exc_info=error, extra={"gateway_request_id": _gateway_id(request)})
        self._count(SluiceError("internal_error", ""))
        return refuse(request, Refusal(500, "internal_error", "Sluice failed; the request can be retried"))

    def _count(self, error: SluiceError) -> None:
        samples = [Sample("errors", 1, {"service": self._name, "code": error.code})]
        if isinstance(error, Throttled):
            samples += [Sample("throttled", 1, {"policy": policy}) for policy in error.policies]
        # Whoever has no key gets nobody to write to Redis.
        store = None if isinstance(error, Denied) else self._store
        keep(self._metrics, store, self._logger, samples)

    def _refusal(self, request: Request, error: SluiceError) -> Refusal:
        match error:
            case RejectedInput():
                return Refusal(error.status, error.code, error.detail, rejections=error.rejections)
            case Denied():
                headers = {"WWW-Authenticate": challenge(request.headers)} if error.status == 401 else {}
                return Refusal(error.status, error.code, error.detail, headers)
            case Throttled():
                if times := self._throttled.add((error.code, error.detail)):
                    extra = {"code": error.code, "detail": error.detail, "times": times}
                    self._logger.info("throttled", extra=extra)
                return Refusal(429, error.code, error.detail, _retry_after(error.retry_after_seconds))
            case Unavailable():
                self._logger.error("unavailable", extra=_told(request, error))
                detail = "a server behind Sluice is down or full: retry later"
                return Refusal(503, error.code, detail, _retry_after(error.retry_after_seconds))
            case ContractError():  # the middle of a deployment: clients give up on a 500, and this passes
                self._logger.error("versions do not match", extra=_told(request, error))
                return Refusal(503, error.code, "Sluice is being updated: retry later", _retry_after(_SKEW_SECONDS))
            case _:
                self._logger.error("internal error", extra=_told(request, error))
                return Refusal(500, error.code, "Sluice failed; the request can be retried")


def _told(request: Request, error: SluiceError) -> dict[str, Any]:
    """What a line about a failed request says."""
    return told(error) | {"gateway_request_id": _gateway_id(request)}


def _gateway_id(request: Request) -> str:
    """What the client got as x-amzn-RequestId."""
    return str(request.context.get("requestId", ""))


def _request(event: dict[str, Any], context: Any) -> Request:
    """Chalice's, whose headers are a plain dictionary: names are in lower case, as everybody here asks for them."""
    request = Request(event | _NO_HEADERS | _decoded(event), context)
    headers: Any = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    request.headers = headers
    return request


def base64_body(event: dict[str, Any]) -> bytes | None:
    """An event's body out of its base64, in a quarter of the time that Chalice takes; None if it is none."""
    if not event.get("isBase64Encoded"):
        return None
    try:
        return msgspec.convert(event["body"], bytes)
    except msgspec.ValidationError:
        return None


def _decoded(event: dict[str, Any]) -> dict[str, Any]:
    """What an event is with its body decoded; what is no base64 is left to Chalice."""
    body = base64_body(event)
    return {} if body is None else {"body": body, "isBase64Encoded": False}


def media_type(request: Request) -> str:
    """The request's Content-Type without its parameters, in lower case; "" if there is none."""
    return str(request.headers.get("content-type") or "").partition(";")[0].strip().lower()


def jsonable(value: Any) -> Any:
    """``value`` with its datetimes as RFC 3339 text; for answers to Invoke, since ``json_response`` does so itself."""
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=jsonable).encode


def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; empty without a body. Raises RejectedInput ``invalid_json``, also for one of more than
    MAX_JSON_BYTES: what Lambda lets through could be objects that take more memory than a function has."""
    if len(request.raw_body or b"") > MAX_JSON_BYTES:
        raise RejectedInput("invalid_json", f"the body must be a JSON object of at most {MAX_JSON_BYTES} bytes")
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
    """Rejections as clients see them, the first MAX_LISTED_REJECTIONS."""
    return [
        {"index": item.index, "pointer": item.pointer, "code": item.code, "detail": item.detail}
        for item in rejections[:MAX_LISTED_REJECTIONS]
    ]


def _problem_response(_: Request, refusal: Refusal) -> Response:
    body: dict[str, Any] = {
        "type": _POLICY_TYPES.get(refusal.status, "about:blank") if refusal.policies else "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        **refusal.members,
    }
    if refusal.rejections:
        body["errors"] = rejection_documents(refusal.rejections)
    if refusal.policies:
        body["violated-policies"] = refusal.policies
    return _response(body, refusal.status, _PROBLEM, refusal.headers)


def _response(body: Mapping[str, Any], status: int, content_type: str, headers: Mapping[str, str]) -> Response:
    return Response(_encode(body), {"Content-Type": content_type, **headers}, status)


def _retry_after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}
