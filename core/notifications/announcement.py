"""From an event's payload to who it is about and what is said: facts only, and never a mark."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from core.events.types import AnyPayload, AttendanceMarked, FeeReminder, ReportsPublished, ScoresPublished
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
    students: Mapping[StudentId, Mapping[str, str]]
    """Each student with the facts that are the student's own: absent or late, or what is still owed."""
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
        case ReportsPublished():
            return _cards(payload)
        case _:
            assert_never(payload)


def _results(event: ScoresPublished) -> Announcement:
    facts = {"subject": event.subject_name, "class_arm": event.class_arm_name, "term": event.term_name}
    entry = Entry(str(event.sheet_id), {**facts, "revision": event.revision})
    return Announcement(facts, {student: {} for student in event.student_ids}, entry)


def _attendance(event: AttendanceMarked) -> Announcement:
    students = {student: {"status": "late"} for student in event.late_student_ids}
    students.update({student: {"status": "absent"} for student in event.absent_student_ids})
    return Announcement({"class_arm": event.class_arm_name, "date": _day(event.date)}, students)


def _fee(event: FeeReminder) -> Announcement:
    facts = {"fee": event.fee_type, "amount": _amount(event.amount_kobo, event), "due_date": _day(event.due_date)}
    owed = {student: {"amount": _amount(kobo, event)} for student, kobo in event.balances_kobo.items()}
    return Announcement(facts, {student: owed.get(student, {}) for student in event.student_ids})


def _cards(event: ReportsPublished) -> Announcement:
    facts = {"term": f"{event.term_name} {event.session_name}"}
    entry = Entry(str(event.term_id), {**facts, "revision": 1})  # a card published anew is told in the same words
    return Announcement(facts, {student: {} for student in event.student_ids}, entry)


def _amount(kobo: int, event: FeeReminder) -> str:
    amount = as_text(Kobo(kobo))
    return amount if event.currency == "NGN" else amount.replace("NGN", event.currency, 1)


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
