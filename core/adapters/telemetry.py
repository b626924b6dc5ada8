"""Sets up, once a process, where traces, logs and figures go. Traces go nowhere unless a collector is named."""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import multiprocess
from structlog.typing import EventDict

from core.adapters.redaction import describe_exception, redact

_EXPORT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """What of the settings concerns telemetry."""

    otlp_endpoint: str | None = None
    """Base of an OTLP/HTTP collector; ``/v1/traces`` is added (P4-01)."""
    sample_ratio: float = 1.0
    """Part of the traces that begin here which is kept; what began elsewhere is kept as it was decided there."""
    log_level: str = "INFO"
    metrics_dir: Path | None = None
    """Where processes leave their figures for ``/metrics``; PROMETHEUS_MULTIPROC_DIR where unset."""


def start_telemetry(
    service: str, options: TelemetryOptions | None = None, *, role: str = "", exporter: SpanExporter | None = None
) -> None:
    """Set the process up. Called again it only changes the log level and role, so that every entry point may call it.

    Args:
        service: the program, such as ``schoolos``.
        options: where things go.
        role: what this process is in it: ``http``, ``outbox-relay-0``.
        exporter: takes spans at once, in place of a collector; for tests.
    """
    options = options or TelemetryOptions()
    _start_logs(options.log_level, service, role)
    if options.otlp_endpoint or exporter:
        _start_traces(service, role, options, exporter)
    _sweep_figures(options.metrics_dir)


def stop_telemetry() -> None:
    """Send what is not sent yet."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(int(_EXPORT_TIMEOUT_S * 1000))


def _start_logs(level: str, service: str, role: str) -> None:
    bound = {"service": service, "role": role} if role else {"service": service}

    def add_process(_: Any, __: str, event: EventDict) -> EventDict:
        return {**event, **bound, "pid": os.getpid()}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            add_process,
            add_trace_id,
            describe_exception,
            redact,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the stream of the moment: it may be replaced
        cache_logger_on_first_use=False,  # loggers are made at import, before this runs
    )


def add_trace_id(_: Any, __: str, event: EventDict) -> EventDict:
    """Add the ids of the span under way to a log line."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _start_traces(service: str, role: str, options: TelemetryOptions, exporter: SpanExporter | None) -> None:
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        if exporter is not None:
            provider.add_span_processor(SimpleSpanProcessor(exporter))
        return
    resource = Resource.create({"service.name": service, "service.instance.id": f"{role or service}-{os.getpid()}"})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(options.sample_ratio)))
    provider.add_span_processor(_processor(options, exporter))
    trace.set_tracer_provider(provider)


def _processor(options: TelemetryOptions, exporter: SpanExporter | None) -> SpanProcessor:
    if exporter is not None:
        return SimpleSpanProcessor(exporter)
    # Only here, because it brings requests and protobuf into the process.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above

    endpoint = f"{(options.otlp_endpoint or '').rstrip('/')}/v1/traces"
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_TIMEOUT_S))


def _sweep_figures(folder: Path | None) -> None:
    """Remove the gauges of processes that are gone: they would be counted as if they lived."""
    if folder is None and os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    if folder is None or not folder.is_dir():
        return
    pids = {int(file.stem.rsplit("_", 1)[-1]) for file in folder.glob("gauge_live*_*.db")}
    mark: Callable[..., None] = multiprocess.mark_process_dead
    for pid in pids:
        if not _alive(pid):
            mark(pid, str(folder))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
