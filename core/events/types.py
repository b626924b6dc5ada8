"""The types of events and their payloads: the source's fields, and what they lack (C-11)."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from core.errors import Fault, InvalidInput
from core.events.envelope import Event
from core.ids import (
    ClassArmId,
    FeeId,
    JobId,
    MarkSheetId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TermId,
    TimetableId,
)

Text = Annotated[str, Field(min_length=1)]


class Payload(BaseModel):
    """Base of every payload; a field too many or of the wrong kind is refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", strict=True)

    event_type: ClassVar[str]
    event_version: ClassVar[int] = 1


class ScoresPublished(Payload):
    """A class's marks in a subject were published (P2-03)."""

    event_type: ClassVar[str] = "scores.published"

    subject_id: SubjectId
    subject_name: Text
    class_arm_id: ClassArmId
    class_arm_name: Text
    term_id: TermId
    term_name: Text
    teacher_id: StaffId
    teacher_name: Text
    student_count: int = Field(ge=0)
    timestamp: AwareDatetime
    sheet_id: MarkSheetId
    student_ids: tuple[StudentId, ...]
    """Students with a mark on the sheet."""
    revision: int = Field(default=1, ge=1)
    """Counts up each time the sheet was reopened, mended and published again."""


class AttendanceMarked(Payload):
    """A class's attendance of a day was saved (P2-04)."""

    event_type: ClassVar[str] = "attendance.marked"

    class_arm_id: ClassArmId
    class_arm_name: Text
    date: date
    absent_student_ids: tuple[StudentId, ...]
    late_student_ids: tuple[StudentId, ...]


class FeeReminder(Payload):
    """A fee is due and these students have not paid it (P2-05)."""

    event_type: ClassVar[str] = "fee.reminder"

    fee_id: FeeId
    fee_type: Text
    student_ids: tuple[StudentId, ...]
    amount_kobo: int = Field(gt=0)
    """In the currency's hundredth."""
    currency: str = Field(default="NGN", pattern=r"^[A-Z]{3}$")
    amount: float = Field(default_factory=lambda known: known.get("amount_kobo", 0) / 100)
    """The same in whole units, as the source has it; ``amount_kobo`` is the one to count with."""
    due_date: date
    balances_kobo: dict[StudentId, int] = Field(default_factory=dict)
    """What each of them still owes, where that is known."""

    @model_validator(mode="after")
    def _amounts_agree(self) -> "FeeReminder":
        if round(self.amount * 100) != self.amount_kobo:
            raise ValueError("amount and amountKobo differ")
        return self


class TimetablePublished(Payload):
    """A version of a timetable became the one that holds in its session (C-58)."""

    event_type: ClassVar[str] = "timetable.published"

    timetable_id: TimetableId
    name: Text
    session_id: SessionId
    session_name: Text
    version: int = Field(ge=1)
    timestamp: AwareDatetime


class ReportsPublished(Payload):
    """Report cards of a term were published to the students' guardians."""

    event_type: ClassVar[str] = "reports.published"

    job_id: JobId
    """The batch that printed them."""
    session_id: SessionId
    session_name: Text
    term_id: TermId
    term_name: Text
    student_ids: tuple[StudentId, ...]
    """Those whose card was not published before, or says something else now."""
    timestamp: AwareDatetime


AnyPayload = ScoresPublished | AttendanceMarked | FeeReminder | ReportsPublished

PAYLOADS: Mapping[str, Mapping[int, type[AnyPayload]]] = {
    ScoresPublished.event_type: {1: ScoresPublished},
    AttendanceMarked.event_type: {1: AttendanceMarked},
    FeeReminder.event_type: {1: FeeReminder},
    ReportsPublished.event_type: {1: ReportsPublished},
}
"""Every version of every type that people are told of. A new one is added beside the old: an upgrade has both in
flight."""

SIGNALS: Mapping[str, Mapping[int, type[TimetablePublished]]] = {
    TimetablePublished.event_type: {1: TimetablePublished},
}
"""Types of which only other systems hear, by webhooks: nobody gets a message of them."""


def payload_of(event: Event) -> AnyPayload | TimetablePublished:
    """Return the payload with its type. Raises ``InvalidInput`` for a type, version or field that is not understood."""
    versions: Mapping[int, type[AnyPayload | TimetablePublished]] | None = PAYLOADS.get(event.type)
    versions = versions or SIGNALS.get(event.type)
    if versions is None:
        raise InvalidInput(f"no event type {event.type} is known", [Fault("/type", "unknown type", "unknown")])
    model = versions.get(event.version)
    if model is None:
        raise InvalidInput(
            f"version {event.version} of {event.type} is not understood; understood: {', '.join(map(str, versions))}",
            [Fault("/version", "unknown version", "unknown")],
        )
    try:
        # Through JSON, because strict reading takes ids and dates as text from there only.
        return model.model_validate_json(json.dumps(event.payload))
    except ValidationError as error:
        raise InvalidInput(f"the payload of {event.type} is wrong", _faults_in(error)) from None


def _faults_in(error: ValidationError) -> list[Fault]:
    # The offending values stay out: a payload may hold names.
    return [
        Fault("/payload/" + "/".join(map(str, each["loc"])), each["msg"], each["type"])
        for each in error.errors(include_input=False, include_url=False)
    ]
