"""One server span and one measurement for each request, and the last net for what nobody caught."""

import secrets
import traceback
from contextlib import AbstractContextManager
from time import perf_counter

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.telemetry import HTTP_REQUEST_DURATION, HTTP_REQUESTS, get_logger, tracer
from deployments.ground.problem import internal_error

log = get_logger("http")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SLOW_S = 1.0
_UNMATCHED = "unmatched"
"""Route of paths that we don't have: their text never becomes a label."""


class Observe:
    """Trace and measure requests by the template of their route, and answer 500 to what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with _started(scope) as span:
            exchange = _Exchange(span, send)
            try:
                await self.app(scope, receive, exchange.send)
            except Exception as error:
                _log_crash(error, scope)
                if exchange.status:
                    raise  # half an answer is out: the server must cut the connection
                await internal_error()(scope, receive, exchange.send)
            finally:
                exchange.record(scope)


class _Exchange:
    """One request with its answer."""

    def __init__(self, span: Span, send: Send) -> None:
        self._span = span
        self._send = send
        self._started_at = perf_counter()
        self._trace_id = trace.format_trace_id(span.get_span_context().trace_id).encode()
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass a message on, with the trace id on the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-trace-id", self._trace_id)]
        await self._send(message)

    def record(self, scope: Scope) -> None:
        """Write down how long it took and how it ended. 499: the caller left before the answer began."""
        took_s = perf_counter() - self._started_at
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route, status = route_of(scope), str(self.status or 499)
        HTTP_REQUEST_DURATION.labels(method, route, status).observe(took_s)
        HTTP_REQUESTS.labels(method, route, status).inc()
        if self._span.is_recording():
            self._span.update_name(f"{method} {route}")
            self._span.set_attributes({"http.route": route, "http.response.status_code": int(status)})
            if self.status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))
        if took_s > _SLOW_S and not _is_stream(scope):
            log.warning("request_was_slow", method=method, route=route, status=status, took_s=round(took_s, 3))


def route_of(scope: Scope) -> str:
    """Return the template of the route that served a request."""
    path: str = getattr(scope.get("route"), "path_format", _UNMATCHED)
    return path


def _is_stream(scope: Scope) -> bool:
    return "text/event-stream" in Headers(scope=scope).get("accept", "")


def _started(scope: Scope) -> AbstractContextManager[Span]:
    traceparent = Headers(scope=scope).get("traceparent")
    context = extract({"traceparent": traceparent}) if traceparent else None
    span = tracer.start_span(scope["method"], context, SpanKind.SERVER, {"http.request.method": scope["method"]})
    if not span.get_span_context().is_valid:
        span = _untraced()
    return trace.use_span(span, end_on_exit=True, record_exception=False)


def _untraced() -> Span:
    """Return a span that only lends its id to answers, logs and events where no exporter is configured."""
    return NonRecordingSpan(SpanContext(secrets.randbits(128) or 1, secrets.randbits(64) or 1, is_remote=False))


def _log_crash(error: Exception, scope: Scope) -> None:
    """Log where a defect is. Its message may hold a name or a mark, so only kind and place are written."""
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("request_crashed", method=scope["method"], route=route_of(scope), error=type(error).__qualname__,
              at=places[-8:])  # fmt: skip
