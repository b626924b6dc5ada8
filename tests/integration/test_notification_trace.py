"""One event is one trace, its figures are counted, and neither holds anything personal."""

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from core import telemetry
from core.adapters.postgres import PostgresDatabase
from core.errors import Unavailable
from core.notifications.model import Channel
from core.telemetry import span
from tests.factories.notifications import delivering, fanned_out, scores_published, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is traced during a test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("tests"))
    return exporter


async def published(db: PostgresDatabase, sender: FakeSender) -> MadeSchool:
    """Publish marks within a request's span, and deliver."""
    school = await make_school(db, students=3)
    with span("POST /publish"):
        await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}):
        await settled(db, school)
    return school


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """Return the spans of a name."""
    return [each for each in spans.get_finished_spans() if each.name == name]


async def test_request_event_and_each_message_are_one_trace(db: PostgresDatabase, spans: InMemorySpanExporter) -> None:
    """Request, handling and each provider call share a trace, each the child of the one before (P4-05)."""
    await published(db, FakeSender())
    (request,), (handled,) = named(spans, "POST /publish"), named(spans, "handle-scores-published")
    sent = named(spans, "deliver-sms")
    assert len(sent) == 3
    assert {each.context.trace_id for each in (request, handled, *sent)} == {request.context.trace_id}
    assert handled.parent is not None
    assert handled.parent.span_id == request.context.span_id
    assert {each.parent.span_id for each in sent if each.parent} == {handled.context.span_id}
    assert handled.attributes is not None
    assert handled.attributes["student_count"] == 3


async def test_a_retry_is_a_span_of_the_same_trace(db: PostgresDatabase, spans: InMemorySpanExporter) -> None:
    """A failed attempt and its retry both hang under the event, the failed one marked as such."""
    troubles = [Unavailable("down")]
    await published(db, FakeSender(lambda _: troubles.pop() if troubles else None))
    sent = named(spans, "deliver-sms")
    assert len(sent) == 4
    assert len({each.context.trace_id for each in sent}) == 1
    assert [each.status.is_ok for each in sent].count(False) == 1


async def test_nothing_personal_is_traced_or_logged(db: PostgresDatabase, spans: InMemorySpanExporter) -> None:
    """No name, subject, phone number or message stands in a span or a log."""
    with capture_logs() as logs:
        await published(db, FakeSender())
    told: list[Any] = [dict(each.attributes or {}) for each in spans.get_finished_spans()] + list(logs)
    text = json.dumps(told, default=str, ensure_ascii=False)
    assert logs
    assert not [word for word in ("Tọ́lá", "Mathematics", "+234", "published.", "Ngọzi") if word in text]


async def test_attempts_are_counted_by_channel_and_outcome(db: PostgresDatabase) -> None:
    """The counters and times of the source's names grow with what was sent (P4-10, P4-11)."""
    labels = {"channel": "sms", "event_type": "scores.published", "status": "sent"}

    def counted() -> tuple[float, float, float]:
        sms = {"channel": "sms"}
        return (
            REGISTRY.get_sample_value("notifications_sent_total", labels) or 0.0,
            REGISTRY.get_sample_value("notification_delivery_duration_seconds_count", sms) or 0.0,
            REGISTRY.get_sample_value("schoolos_notification_latency_seconds_count", sms) or 0.0,
        )

    before = counted()
    await published(db, FakeSender())
    assert tuple(now - then for now, then in zip(counted(), before, strict=True)) == (3, 3, 3)
