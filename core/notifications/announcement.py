"""From an event's payload to who it is about and what is said: facts only, and never a mark."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from core.events.types import AnyPayload, AttendanceMarked, FeeReminder, ScoresPublished
from core.ids import StudentId
from core.money import Kobo, as_text


@dataclass(frozen=True, slots=True)
class Entry:
    """What an event adds to a message that tells several things of a kind."""

    key: str
    """A later event with the same key takes the place of an earlier one."""
    facts: Mapping[str, str | int]
    """``revision`` tells which is later, whatever the order they come in."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an event tells, and about whom."""

    facts: Mapping[str, str]
    """What is the same for every student: the templates' values."""
    students: Mapping[StudentId, str | None]
    """Each student with the word that is the student's own (absent, late), or None."""
    entry: Entry | None = None
    """What it adds to a message that waits; None where each event is a message of its own."""


def announcement_of(payload: AnyPayload) -> Announcement:
    """Return what an event tells, and about whom."""
    match payload:
        case ScoresPublished():
            return _results(payload)
        case AttendanceMarked():
            return _attendance(payload)
        case FeeReminder():
            return _fee(payload)
        case _:
            assert_never(payload)


def _results(event: ScoresPublished) -> Announcement:
    facts = {"subject": event.subject_name, "class_arm": event.class_arm_name, "term": event.term_name}
    entry = Entry(str(event.sheet_id), {**facts, "revision": event.revision})
    return Announcement(facts, dict.fromkeys(event.student_ids), entry)


def _attendance(event: AttendanceMarked) -> Announcement:
    students: dict[StudentId, str | None] = dict.fromkeys(event.late_student_ids, "late")
    students.update(dict.fromkeys(event.absent_student_ids, "absent"))
    return Announcement({"class_arm": event.class_arm_name, "date": _day(event.date)}, students)


def _fee(event: FeeReminder) -> Announcement:
    amount = as_text(Kobo(event.amount_kobo))
    if event.currency != "NGN":
        amount = amount.replace("NGN", event.currency, 1)
    facts = {"fee": event.fee_type, "amount": amount, "due_date": _day(event.due_date)}
    return Announcement(facts, dict.fromkeys(event.student_ids))


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
