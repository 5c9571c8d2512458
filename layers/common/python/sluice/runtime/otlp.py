"""OTLP's answers as HTTP responses, in the encoding of the request."""

from collections.abc import Mapping

from chalice.app import Request, Response

from sluice.errors import Rejection
from sluice.protocols.otlp_answers import answer_type, export_answer, partial_message, status_answer
from sluice.runtime.http import Refusal, media_type


def export_response(request: Request, rejections: tuple[Rejection, ...], headers: Mapping[str, str]) -> Response:
    """200 with what was rejected; nothing if that is nothing."""
    answer = export_answer(media_type(request), len(rejections), partial_message(rejections))
    return _response(request, 200, answer, headers)


def status_response(request: Request, refusal: Refusal) -> Response:
    """A refusal as google.rpc.Status."""
    answer = status_answer(media_type(request), refusal.status, f"{refusal.code}: {refusal.detail}")
    return _response(request, refusal.status, answer, refusal.headers)


def _response(request: Request, status: int, answer: bytes | str, headers: Mapping[str, str]) -> Response:
    return Response(answer, {"Content-Type": answer_type(media_type(request)), **headers}, status)
