"""Errors as RFC 9457 problem details: the one place that gives an error its HTTP status."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core.errors import (
    Broken,
    Conflict,
    Fault,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    SchoolOSError,
    Stale,
    TooMany,
    Unavailable,
)
from core.telemetry import get_logger
from deployments.ground.wire import Wire

log = get_logger("http")

MEDIA_TYPE = "application/problem+json"
_BASE = "/problems/"
_SEND_JSON = "send a JSON object, {...}, with the header `Content-Type: application/json`"


class ProblemFault(Wire):
    """One thing wrong with the request."""

    pointer: str = Field(description="JSON pointer into the body, `/query/...`, `/path/...`, or a cell of a workbook.")
    detail: str
    code: str = Field(description="A stable word for programs.")


class Problem(Wire):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A stable URI reference that names the kind of problem.")
    title: str
    status: int
    detail: str
    errors: tuple[ProblemFault, ...] = ()
    trace_id: str = Field(description="Quote it when you ask for help; it is the answer's `X-Trace-Id` too.")
    report_url: str | None = Field(None, description="A copy of the uploaded workbook with the errors marked in it.")


class PreconditionRequired(SchoolOSError):
    """The change must say which version it was made from, by ``If-Match``."""


class TooLarge(SchoolOSError):
    """The body or the file is larger than allowed."""


class KeyReused(InvalidInput):
    """An ``Idempotency-Key`` came again with another request."""


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    slug: str
    title: str


_INTERNAL = _Kind(500, "internal-error", "Something broke on our side")
_KINDS: Mapping[type[SchoolOSError], _Kind] = {
    NotFound: _Kind(404, "not-found", "Not found"),
    Stale: _Kind(412, "stale", "Someone else changed it since you read it"),
    Conflict: _Kind(409, "conflict", "Not possible in the present state"),
    InvalidInput: _Kind(422, "invalid-input", "The data is not right"),
    KeyReused: _Kind(422, "idempotency-key-reused", "The Idempotency-Key belongs to another request"),
    NotAuthenticated: _Kind(401, "not-authenticated", "Not logged in"),
    NotPermitted: _Kind(403, "not-permitted", "Not permitted"),
    TooMany: _Kind(429, "too-many-requests", "Too many requests"),
    Unavailable: _Kind(503, "unavailable", "Not available just now"),
    PreconditionRequired: _Kind(428, "precondition-required", "If-Match is required"),
    TooLarge: _Kind(413, "too-large", "Too large"),
    Broken: _INTERNAL,
}
_BY_STATUS: Mapping[int, _Kind] = {kind.status: kind for kind in reversed(list(_KINDS.values()))} | {
    400: _Kind(400, "bad-request", "The request can't be read"),
    405: _Kind(405, "method-not-allowed", "Method not allowed"),
    415: _Kind(415, "unsupported-media-type", "Unsupported media type"),
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": kind.title,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, kind in sorted(_BY_STATUS.items())
    if status != 405
}
"""For ``APIRouter(responses=PROBLEMS)``: what any route may answer instead."""


def kind_of(error: SchoolOSError) -> _Kind:
    """Return the kind of an error: its own class's, else its nearest ancestor's."""
    return next((_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS), _INTERNAL)


def trace_id() -> str:
    """Return the trace id of the request under way, 32 hex digits."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def answer(
    kind: _Kind,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
    report_url: str | None = None,
) -> Response:
    """Return a problem as a response."""
    body = Problem(
        type=_BASE + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=tuple(ProblemFault(pointer=fault.where, detail=fault.what, code=fault.code) for fault in faults),
        trace_id=trace_id(),
        report_url=report_url,
    )
    return Response(body.model_dump_json(by_alias=True), kind.status, headers, MEDIA_TYPE)


def internal_error() -> Response:
    """Return the answer to a defect; it tells nothing of the inside but the trace id."""
    return answer(_INTERNAL, "it is recorded; try again, and quote the trace id if it stays")


def from_error(error: SchoolOSError) -> Response:
    """Return the answer to one of our own errors."""
    kind = kind_of(error)
    if kind is _INTERNAL:
        log.error("promise_broken", error=type(error).__name__, detail=str(error))
        return internal_error()
    faults = error.faults if isinstance(error, InvalidInput | Conflict) else ()
    report_url = error.report_url if isinstance(error, InvalidInput) else None
    return answer(kind, str(error), faults, _headers_of(error), report_url)


def _headers_of(error: SchoolOSError) -> dict[str, str]:
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="schoolos"'}
    if isinstance(error, TooMany | Unavailable):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s or 1)))}
    return {}


def install_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""

    async def own(_: Request, error: Exception) -> Response:
        return from_error(error if isinstance(error, SchoolOSError) else Broken(repr(error)))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class below
        return answer(_KINDS[InvalidInput], "the request does not fit its description", _faults_of(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class below
        kind = _BY_STATUS.get(error.status_code) or _Kind(error.status_code, "http-error", "The request failed")
        return answer(kind, _said(request, error), headers=error.headers)

    app.add_exception_handler(SchoolOSError, own)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _said(request: Request, error: HTTPException) -> str:
    """Return what to tell of an error of the router's own: it knows neither what is there nor what to do."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is no such route; /openapi.json lists those there are"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} does nothing here; {(error.headers or {}).get('Allow', 'another method')} does"
    return str(error.detail)


def _faults_of(error: RequestValidationError) -> list[Fault]:
    return [_fault_of(fault["loc"], fault["msg"], fault["type"], fault.get("ctx", {})) for fault in error.errors()]


def _fault_of(loc: Sequence[str | int], said: str, code: str, context: Mapping[str, Any]) -> Fault:
    """Return a mistake with what to do about it, where the validator speaks of its own business instead."""
    if code == "json_invalid":  # its place is a character and no pointer
        return Fault("", f"the body is no JSON: {context.get('error', said)} at character {loc[-1]}", code)
    if code == "missing" and loc == ("body",):
        return Fault("", f"the body is missing; {_SEND_JSON}", code)
    if code == "model_attributes_type":
        return Fault(_pointer(loc), _SEND_JSON if loc == ("body",) else "this is an object: {...}", code)
    return Fault(_pointer(loc), said, code)


def _pointer(loc: Sequence[str | int]) -> str:
    """Return a location as a JSON pointer (RFC 6901); the body is the root, other places keep their name."""
    parts = loc[1:] if loc and loc[0] == "body" else loc
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
