"""Logs are JSON without personal data, traces are whole, and both are cheap when off."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core.adapters.redaction import MASK, redact
from core.adapters.telemetry import TelemetryOptions, start_telemetry
from core.telemetry import current_traceparent, get_logger, span


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    yield
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines logged so far."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    """A log line carries event, level, time, service, role, process and the given ids."""
    start_telemetry("schoolos", role="http")
    get_logger("marks").info("marks_published", sheet_id="7")
    [line] = logged(capsys)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "marks_published", "level": "info", "service": "schoolos", "role": "http", "pid": os.getpid(),
        "sheet_id": "7",
    }  # fmt: skip


def test_a_line_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """The level of the settings holds, also where it is changed by a second start."""
    start_telemetry("schoolos")
    start_telemetry("schoolos", TelemetryOptions(log_level="WARNING"))
    get_logger("marks").info("marks_published")
    get_logger("marks").warning("marks_refused")
    assert [line["event"] for line in logged(capsys)] == ["marks_refused"]


@pytest.mark.parametrize(
    "key",
    ["name", "student_name", "teacherName_name", "phone", "guardian_phone", "email", "address", "body", "sms_body",
     "mark", "old_mark", "mark_value", "score", "remark", "message", "payload", "fields", "password", "token",
     "names", "marks", "emails", "addresses"],
)  # fmt: skip
def test_a_personal_key_is_masked(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The value under a key that could hold personal data or a secret is never written."""
    start_telemetry("schoolos")
    get_logger("x").info("happened", **{key: "Tudonu David"}, kept={key: "Tudonu David", "id": 3})
    [line] = logged(capsys)
    assert line[key] == MASK
    assert line["kept"] == {key: MASK, "id": 3}


def test_counts_and_ids_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """A number of marks is not a mark, and an id is not a name."""
    start_telemetry("schoolos")
    get_logger("x").info("happened", marks=40, student_id="s", channel="email", subject_id="m", mark=40)
    [line] = logged(capsys)
    assert (line["marks"], line["student_id"], line["channel"], line["subject_id"]) == (40, "s", "email", "m")
    assert line["mark"] == MASK


@given(local=st.from_regex(r"[a-z][a-z.]{0,8}", fullmatch=True), digits=st.from_regex(r"[1-9]\d{9,12}", fullmatch=True))
def test_addresses_and_numbers_are_masked_in_any_text(local: str, digits: str) -> None:
    """An email address or phone number inside another text is masked too."""
    line = redact(
        None, "info", {"event": "e", "error": f"550 <{local}@kings.edu.ng> unknown", "why": [f"to +{digits}"]}
    )
    assert local + "@" not in line["error"]
    assert digits not in line["why"][0]
    assert MASK in line["error"]


def test_an_exception_is_told_by_kind_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    """A logged exception says what and where, also of its cause and of a group, but not its message."""
    start_telemetry("schoolos")

    def fail() -> None:
        try:
            int("Tudonu David")
        except ValueError as error:
            raise ExceptionGroup("Tudonu", [KeyError("David")]) from error

    try:
        fail()
    except ExceptionGroup:
        get_logger("x").exception("step_failed")
    [line] = logged(capsys)
    assert line["exception"] == ["builtins.ExceptionGroup", "builtins.KeyError", "builtins.ValueError"]
    assert "test_telemetry.py" in line["at"][0]
    assert "David" not in json.dumps(line)
    assert "Tudonu" not in json.dumps(line)


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which nobody has set up traces yet."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", type(trace._TRACER_PROVIDER_SET_ONCE)())
    monkeypatch.setattr("core.telemetry.tracer", trace.ProxyTracer("schoolos"))


@pytest.mark.usefixtures("untraced")
def test_nothing_is_traced_without_a_collector() -> None:
    """Without an exporter a span is no more than a context, and passes on the trace it was given."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with span("work", given) as started:
        assert not started.is_recording()
        assert current_traceparent() == given


@pytest.mark.usefixtures("untraced")
def test_a_trace_goes_from_process_to_process(capsys: pytest.CaptureFixture[str]) -> None:
    """A span under a given traceparent is its child, log lines carry its ids, and starting twice exports once."""
    exporter = InMemorySpanExporter()
    start_telemetry("schoolos", exporter=exporter)
    start_telemetry("schoolos")
    with span("publish"):
        carried = current_traceparent()
    with span("handle", carried):
        get_logger("x").info("event_handled")
    publish, handle = exporter.get_finished_spans()
    assert publish.context is not None
    assert handle.context is not None
    assert handle.parent is not None
    assert (handle.context.trace_id, handle.parent.span_id) == (publish.context.trace_id, publish.context.span_id)
    [line] = logged(capsys)
    assert line["trace_id"] == trace.format_trace_id(handle.context.trace_id)


def test_gauges_of_dead_processes_are_swept(tmp_path: Path) -> None:
    """Gauge files of processes that are gone are removed; counters and those of the living stay."""
    dead = 4_194_303  # beyond the default pid_max of most systems
    for name in (f"gauge_livemax_{dead}.db", f"gauge_livesum_{os.getpid()}.db", f"counter_{dead}.db"):
        (tmp_path / name).touch()
    start_telemetry("schoolos", TelemetryOptions(metrics_dir=tmp_path))
    assert {file.name for file in tmp_path.iterdir()} == {f"gauge_livesum_{os.getpid()}.db", f"counter_{dead}.db"}
