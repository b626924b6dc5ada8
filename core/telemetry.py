"""Names of what is measured, traced and logged. Ids only: never a name, a mark, a phone number or a message.

Recording is ambient, as logging is: with no exporter configured it costs next to nothing. Where the figures go is
set up once a process by ``core.adapters.telemetry``.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import structlog
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LIVE: Literal["livemax"] = "livemax"
"""Several processes of one machine report the same total: the largest of those alive counts."""

HTTP_REQUEST_DURATION = Histogram(
    "http_request_duration_seconds", "Time to answer a request", ("method", "route", "status"), buckets=_SECONDS
)
HTTP_REQUESTS = Counter("http_requests_total", "Requests answered", ("method", "route", "status"))
DB_QUERY_DURATION = Histogram(
    "schoolos_db_query_duration_seconds", "Time of a statement", ("model", "operation"), buckets=_SECONDS
)
ACTIVE_STREAMS = Gauge("active_websocket_connections", "Open server-sent event streams", multiprocess_mode="livesum")
NOTIFICATIONS_SENT = Counter(
    "notifications_sent_total", "Delivery attempts that ended", ("channel", "event_type", "status")
)
NOTIFICATION_DELIVERY_DURATION = Histogram(
    "notification_delivery_duration_seconds", "Time of one attempt at the provider", ("channel",), buckets=_SECONDS
)
NOTIFICATION_LATENCY = Histogram(
    "schoolos_notification_latency_seconds",
    "From the event to the provider's acceptance",
    ("channel",),
    buckets=_SECONDS,
)
STREAM_PENDING = Gauge(
    "redis_stream_pending_messages", "Events not yet handled: pending and not yet read", multiprocess_mode=_LIVE
)
STREAM_LAG = Gauge("redis_stream_lag_seconds", "Age of the oldest event not yet handled", multiprocess_mode=_LIVE)
ACTIVE_WORKERS = Gauge(
    "worker_pool_active_workers", "Workers that answered their last ping", ("pool",), multiprocess_mode=_LIVE
)
DEAD_LETTERS = Gauge("dead_letter_queue_size", "Dead events and dead deliveries", multiprocess_mode=_LIVE)
TIMETABLE_RACES = Counter("schoolos_timetable_races_total", "Searches for timetables that ended", ("kind", "outcome"))
TIMETABLE_RACE_DURATION = Histogram(
    "schoolos_timetable_race_seconds", "Time of a search for a timetable", ("kind",), buckets=(*_SECONDS, 60.0, 300.0)
)
PRINT_DURATION = Histogram(
    "schoolos_report_print_seconds",
    "Time of one print: a chunk of cards, or a document waited for",
    ("kind",),
    buckets=_SECONDS,
)
REPORT_CARDS = Counter("schoolos_report_cards_total", "Report cards of batches that ended", ("outcome",))
REPORT_CHUNKS = Counter("schoolos_report_chunks_total", "Chunks of report cards worked on", ("outcome",))
PREDICTION_DURATION = Histogram(
    "prediction_duration_seconds", "Time of one prediction", ("model_name",), buckets=_SECONDS
)
PREDICTIONS = Counter("predictions_total", "Predictions made", ("model_name", "result"))

tracer = trace.get_tracer("schoolos")


def get_logger(noun: str) -> Any:
    """Return a noun's logger. Events are past tense, ids are fields: ``log.info("marks_published", sheet_id=...)``."""
    return structlog.get_logger(noun)


def current_traceparent() -> str | None:
    """Return the W3C ``traceparent`` of the span under way, or None where nothing is traced."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(
    name: str, traceparent: str | None = None, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any
) -> Iterator[Span]:
    """Trace a piece of work, as a child of ``traceparent`` where one is given, else of the span under way."""
    context = extract({"traceparent": traceparent}) if traceparent else None
    with tracer.start_as_current_span(name, context=context, kind=kind, attributes=attributes) as started:
        yield started


def span_if_kept(
    name: str, traceparent: str | None, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any
) -> AbstractContextManager[Span]:
    """Trace a piece of work within which nothing else is, unless its trace is not kept: that saves 30 us each time."""
    if traceparent is not None and traceparent.endswith("-00"):  # flags of W3C Trace Context: not sampled
        return nullcontext(INVALID_SPAN)
    return span(name, traceparent, kind, **attributes)
