"""What a register is, and what is news in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.errors import Fault, InvalidInput
from core.ids import ClassArmId, RegisterId, SessionId, StaffId, StudentId, TermId, UserId


class AttendanceStatus(StrEnum):
    """What the register says of a student on a day."""

    PRESENT = "present"
    ABSENT = "absent"
    LATE = "late"
    """Present, but after the register was called."""
    EXCUSED = "excused"
    """Absent, and the school knows why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written of one student."""

    student_id: StudentId
    status: AttendanceStatus
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportedReason:
    """Why a student was not there, as a guardian says; the register is the teacher's all the same."""

    reason: str
    note: str
    given_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterLine:
    """One student on the list, with what is written; present where nothing is yet."""

    student_id: StudentId
    student_no: str
    name: str
    status: AttendanceStatus
    note: str
    recorded: bool
    """False where nothing was saved of this student yet."""
    reason: ReportedReason | None = None
    """The newest that a guardian gave; shown to the class teacher and the school's leaders alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterHead:
    """A register without its lines: of which class and day, and how far it has come."""

    class_arm_id: ClassArmId
    class_arm_name: str
    class_teacher_id: StaffId | None
    day: date
    today: date
    """In the school's time zone."""
    session_id: SessionId | None
    term_id: TermId | None
    """None on a day outside every term."""
    term_closed: bool
    id: RegisterId | None
    """None where it was not saved yet."""
    version: int
    """0 where it was not saved yet."""
    marked_by: UserId | None
    marked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Register:
    """A register as it is read: everyone enrolled, by name."""

    head: RegisterHead
    lines: tuple[RegisterLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterChange:
    """One correction of a saved register."""

    id: int
    student_id: StudentId
    version: int
    old_status: AttendanceStatus | None
    old_note: str | None
    new_status: AttendanceStatus
    new_note: str
    actor_id: UserId | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """A register in figures."""

    class_arm_id: ClassArmId
    class_arm_name: str
    day: date
    enrolled: int
    version: int
    """0 where the register was not called."""
    present: int
    absent: int
    late: int
    excused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One student's term in figures, with the days that were not simply present."""

    student_id: StudentId
    term_id: TermId
    present: int
    absent: int
    late: int
    excused: int
    exceptions: tuple[tuple[date, Entry], ...]

    @property
    def total_days(self) -> int:
        """Days on which the register was called."""
        return self.present + self.absent + self.late + self.excused

    @property
    def days_present(self) -> int:
        """Days on which the student came, late or not."""
        return self.present + self.late


@dataclass(frozen=True, slots=True)
class News:
    """Who is newly absent or late compared with what was saved before."""

    absent: tuple[StudentId, ...]
    late: tuple[StudentId, ...]

    def __bool__(self) -> bool:
        return bool(self.absent or self.late)


def news_of(before: Mapping[StudentId, AttendanceStatus], entries: Sequence[Entry]) -> News:
    """Return what guardians have not been told yet."""

    def newly(status: AttendanceStatus) -> tuple[StudentId, ...]:
        return tuple(
            entry.student_id
            for entry in entries
            if entry.status is status and before.get(entry.student_id) is not status
        )

    return News(newly(AttendanceStatus.ABSENT), newly(AttendanceStatus.LATE))


def require_whole(enrolled: Sequence[StudentId], entries: Sequence[Entry]) -> None:
    """Raise ``InvalidInput`` unless each enrolled student stands in the entries once, and nobody else."""
    faults, seen, known = [], set(), frozenset(enrolled)
    for place, entry in enumerate(entries):
        where = f"/entries/{place}/studentId"
        if entry.student_id not in known:
            faults.append(Fault(where, "is not enrolled in this class on this day", "unknown"))
        elif entry.student_id in seen:
            faults.append(Fault(where, "stands in the register twice", "duplicate"))
        seen.add(entry.student_id)
    faults += [
        Fault("/entries", f"student {student} is missing; send the whole class", "missing")
        for student in enrolled
        if student not in seen
    ]
    if faults:
        raise InvalidInput("the register must hold each student of the class once", faults)
