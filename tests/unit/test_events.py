"""The event envelope, the payloads and their schemas."""

import json
from collections.abc import Callable
from datetime import UTC, date
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # no stubs among the dependencies
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.events.envelope import Event, from_fields, to_fields
from core.events.schemas import ENVELOPE, schemas
from core.events.types import AnyPayload, FeeReminder, payload_of
from core.ids import FeeId, StudentId, new_id
from tests.factories.events import (
    MORNING,
    attendance_marked,
    event_of,
    fee_reminder,
    reports_published,
    scores_published,
)

DOCS = Path(__file__).parents[2] / "docs" / "events"
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


def student() -> StudentId:
    """Return a new id."""
    return StudentId(new_id())


EACH: list[Callable[[], AnyPayload]] = [
    scores_published,
    lambda: attendance_marked(student(), student()),
    lambda: fee_reminder(student()),
    lambda: reports_published(student()),
]


@given(
    st.builds(
        Event,
        id=st.uuids(),
        type=st.text(min_size=1),
        version=st.integers(1, 9999),
        school_id=st.uuids(),
        occurred_at=st.datetimes(timezones=st.just(UTC)),
        traceparent=st.none() | st.text(min_size=1),
        payload=st.dictionaries(st.text(), JSON),
    )
)
def test_an_event_survives_the_stream(event: Event) -> None:
    """Whatever an event holds, its flat fields are strings and read back to the same event."""
    fields = to_fields(event)
    assert all(isinstance(value, str) for value in fields.values())
    assert from_fields(fields) == event


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": None}, "the field id is missing"),
        ({"payload": None}, "the field payload is missing"),
        ({"colour": "red"}, "colour is no field of an event"),
        ({"id": "7"}, "id can't be read"),
        ({"school": ""}, "school can't be read"),
        ({"version": "0"}, "version can't be read"),
        ({"version": "1.0"}, "version can't be read"),
        ({"version": "9" * 5000}, "version can't be read"),
        ({"version": "²"}, "version can't be read"),
        ({"time": "yesterday"}, "time can't be read"),
        ({"time": "2027-09-13T08:00:00"}, "time can't be read"),
        ({"payload": "{"}, "payload can't be read"),
        ({"payload": "[]"}, "payload can't be read"),
        ({"type": ""}, "the type is empty"),
    ],
)
def test_what_is_no_event_is_refused(change: dict[str, str | None], told: str) -> None:
    """Each field that is missing, unknown or unreadable is named."""
    fields = {**to_fields(event_of(scores_published())), **change}
    with pytest.raises(InvalidInput) as caught:
        from_fields({name: value for name, value in fields.items() if value is not None})
    assert told in str(caught.value)


@pytest.mark.parametrize("make", EACH)
def test_a_payload_survives_the_stream(make: Callable[[], AnyPayload]) -> None:
    """Every type of payload reads back as it was emitted."""
    payload = make()
    assert payload_of(from_fields(to_fields(event_of(payload)))) == payload


def test_the_sources_fields_are_all_there() -> None:
    """Consumers of the source's three events find every field they count on (P2-03, P2-04, P2-05)."""
    dumped = [make().model_dump(mode="json", by_alias=True) for make in EACH[:3]]
    promised = [
        {"subjectId", "subjectName", "classArmId", "classArmName", "termId", "termName", "teacherId", "teacherName",
         "studentCount", "timestamp"},
        {"classArmId", "date", "absentStudentIds", "lateStudentIds"},
        {"studentIds", "feeType", "amount", "dueDate"},
    ]  # fmt: skip
    for payload, names in zip(dumped, promised, strict=True):
        assert names <= payload.keys()
    assert dumped[2]["amount"] == 45000.5
    assert dumped[1]["date"] == "2027-09-13"


def test_amounts_must_agree() -> None:
    """A reminder whose amount in naira is not its amount in kobo is refused."""
    with pytest.raises(ValueError, match="differ"):
        FeeReminder(
            fee_id=FeeId(new_id()), fee_type="Tuition", student_ids=(), amount_kobo=100, amount=2.0,
            due_date=date(2027, 9, 30),
        )  # fmt: skip


def changed(**values: Any) -> Event:
    """Return an event of published scores with a changed envelope."""
    event = event_of(scores_published())
    given = {name: getattr(event, name) for name in Event.__dataclass_fields__}
    return Event(**(given | values))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (changed(type="scores.burnt"), "no event type scores.burnt is known"),
        (changed(version=2), "version 2 of scores.published is not understood; understood: 1"),
        (changed(payload={}), "the payload of scores.published is wrong"),
    ],
)
def test_what_is_not_understood_is_refused(event: Event, told: str) -> None:
    """An unknown type, an unknown version and a wrong payload are each told as what they are."""
    with pytest.raises(InvalidInput) as caught:
        payload_of(event)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "wrong", [{"studentCount": "40"}, {"studentCount": -1}, {"subjectName": ""}, {"subjectId": "x"}, {"extra": 1}]
)
def test_a_payload_is_read_strictly(wrong: dict[str, Any]) -> None:
    """A number as text, an empty name, a wrong id or a field too many is no payload; the value is not repeated."""
    event = event_of(scores_published())
    with pytest.raises(InvalidInput) as caught:
        payload_of(changed(payload={**event.payload, **wrong}))
    [fault] = caught.value.faults
    assert fault.where == f"/payload/{next(iter(wrong))}"
    assert "40" not in fault.what


@pytest.mark.parametrize("make", EACH)
def test_events_fit_their_schemas(make: Callable[[], AnyPayload]) -> None:
    """What is sent is what the exported schemas say, envelope and payload."""
    event = event_of(make())
    jsonschema.validate(to_fields(event), ENVELOPE)
    jsonschema.validate(event.payload, schemas()[f"{event.type}.v{event.version}.schema.json"])


def test_exported_schemas_are_up_to_date() -> None:
    """The committed files are what ``python -m core.events.schemas docs/events`` writes."""
    committed = {file.name: json.loads(file.read_text()) for file in DOCS.glob("*.schema.json")}
    assert committed == schemas()


def test_occurrence_keeps_its_moment() -> None:
    """The time of an event is the moment it happened, to the microsecond."""
    assert from_fields(to_fields(event_of(scores_published()))).occurred_at == MORNING
