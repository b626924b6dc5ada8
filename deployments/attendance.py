"""Attendance over HTTP: registers of classes, summaries of students."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from core.ids import ClassArmId, StudentId, TermId
from core.school.attendance.model import AttendanceStatus, Entry, Register, Summary
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["attendance"], responses=PROBLEMS)

_REGISTER = "/class-arms/{class_arm_id}/attendance/{day}"
_SINCE_EVER = date(2000, 1, 1)
Day = Annotated[date, Path(description="A day of the school, like 2027-09-20")]


class EntryIn(WireRequest):
    """What is written of one student."""

    student_id: UUID
    status: AttendanceStatus
    note: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""


class RegisterIn(WireRequest):
    """The whole register."""

    entries: Annotated[list[EntryIn], Field(max_length=500)]

    def to_entries(self) -> list[Entry]:
        """Return the entries as the use case takes them."""
        return [Entry(StudentId(each.student_id), each.status, each.note) for each in self.entries]


class ReasonOut(Wire):
    """Why a student was not there, as a guardian says; it changes no status."""

    reason: str = Field(examples=["sick"])
    note: str
    given_at: datetime


class LineOut(Wire):
    """One student on the list; present where nothing is recorded."""

    student_id: UUID
    student_no: str
    name: str
    status: AttendanceStatus
    note: str
    recorded: bool
    reason: ReasonOut | None = Field(description="The newest a guardian gave, for class teacher and leaders alone.")


class RegisterOut(Wire):
    """A register; version 0 where it was not called yet."""

    class_arm_id: UUID
    class_arm_name: str
    day: date
    term_id: UUID
    version: int
    marked_by: UUID | None
    marked_at: datetime | None
    lines: list[LineOut]

    @classmethod
    def of(cls, register: Register) -> Self:
        """Return a register on the wire."""
        head = register.head
        assert head.term_id is not None  # noqa: S101 - a register is of a day of a term
        return cls(
            class_arm_id=head.class_arm_id,
            class_arm_name=head.class_arm_name,
            day=head.day,
            term_id=head.term_id,
            version=head.version,
            marked_by=head.marked_by,
            marked_at=head.marked_at,
            lines=[LineOut.model_validate(line) for line in register.lines],
        )


class ChangeOut(Wire):
    """One correction of a register."""

    id: int
    student_id: UUID
    version: int
    old_status: AttendanceStatus | None
    old_note: str | None
    new_status: AttendanceStatus
    new_note: str
    actor_id: UUID | None
    at: datetime


class DayCountOut(Wire):
    """A register in figures; version 0 where it was not called."""

    class_arm_id: UUID
    class_arm_name: str
    day: date
    enrolled: int
    version: int
    present: int
    absent: int
    late: int
    excused: int


class SchoolDayOut(Wire):
    """All classes on a day."""

    day: date
    classes: int
    called: int
    """How many registers were called."""
    class_arms: list[DayCountOut]


class ExceptionOut(Wire):
    """A day on which the student was not simply present."""

    day: date
    status: AttendanceStatus
    note: str


class SummaryOut(Wire):
    """A student's term; late counts as present."""

    student_id: UUID
    term_id: UUID
    days_present: int
    total_days: int
    days_absent: int
    days_late: int
    days_excused: int
    exceptions: list[ExceptionOut]

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """Return a summary on the wire."""
        return cls(
            student_id=summary.student_id,
            term_id=summary.term_id,
            days_present=summary.days_present,
            total_days=summary.total_days,
            days_absent=summary.absent,
            days_late=summary.late,
            days_excused=summary.excused,
            exceptions=[
                ExceptionOut(day=day, status=entry.status, note=entry.note) for day, entry in summary.exceptions
            ],
        )


@router.get(_REGISTER, operation_id="getRegister", summary="Read the register of a class and day")
async def get_register(
    caller: Caller, services: ServicesDep, class_arm_id: UUID, day: Day, response: Response
) -> RegisterOut:
    """Return everyone enrolled, with what is saved; the `ETag` is what saving asks for, "0" the first time."""
    register = await services.attendance.register(caller, class_arm_id=ClassArmId(class_arm_id), day=day)
    set_etag(response, register.head.version)
    return RegisterOut.of(register)


@router.put(_REGISTER, operation_id="saveRegister", summary="Save the register of a class and day")
async def save_register(
    *,
    caller: Caller,
    services: ServicesDep,
    class_arm_id: UUID,
    day: Day,
    body: RegisterIn,
    if_match: IfMatch,
    response: Response,
) -> RegisterOut:
    """Save the whole class. Guardians are told who is newly absent or late; nobody is told twice of the same."""
    register = await services.attendance.save(
        caller,
        class_arm_id=ClassArmId(class_arm_id),
        day=day,
        version=require_match(if_match),
        entries=body.to_entries(),
    )
    set_etag(response, register.head.version)
    return RegisterOut.of(register)


@router.get(_REGISTER + "/changes", operation_id="listRegisterChanges", summary="List the corrections of a register")
async def list_changes(
    *,
    caller: Caller,
    services: ServicesDep,
    class_arm_id: UUID,
    day: Day,
    request: Request,
    response: Response,
    page: PageParams,
) -> Page[ChangeOut]:
    """Return what the register said before, newest first."""
    after = page.keys(int)
    found = await services.attendance.changes(
        caller,
        class_arm_id=ClassArmId(class_arm_id),
        day=day,
        below=after[0] if after else None,
        limit=page.limit + 1,
    )
    items = [ChangeOut.model_validate(change) for change in found]
    return page_of(request, response, items, page, key=lambda change: (change.id,))


@router.get(
    "/class-arms/{class_arm_id}/attendance", operation_id="listRegisters", summary="List the registers of a class"
)
async def list_registers(
    *,
    caller: Caller,
    services: ServicesDep,
    class_arm_id: UUID,
    request: Request,
    response: Response,
    page: PageParams,
    since: Annotated[date, Query(description="The first day that is wanted.")] = _SINCE_EVER,
) -> Page[DayCountOut]:
    """Return the saved registers in figures, newest first."""
    after = page.keys(date)
    found = await services.attendance.registers(
        caller,
        class_arm_id=ClassArmId(class_arm_id),
        since=since,
        before=after[0] if after else None,
        limit=page.limit + 1,
    )
    items = [DayCountOut.model_validate(count) for count in found]
    return page_of(request, response, items, page, key=lambda count: (count.day,))


@router.get("/attendance/{day}", operation_id="getSchoolDay", summary="See which registers were called on a day")
async def get_school_day(caller: Caller, services: ServicesDep, day: Day) -> SchoolDayOut:
    """Return every class that has students, with its figures; version 0 where the register was not called."""
    counts = [DayCountOut.model_validate(each) for each in await services.attendance.day(caller, day=day)]
    called = sum(1 for each in counts if each.version)
    return SchoolDayOut(day=day, classes=len(counts), called=called, class_arms=counts)


@router.get(
    "/students/{student_id}/attendance", operation_id="getStudentAttendance", summary="Read a student's attendance"
)
async def get_student_attendance(
    caller: Caller, services: ServicesDep, student_id: UUID, term_id: Annotated[UUID, Query(alias="termId")]
) -> SummaryOut:
    """Return a student's term to those it concerns."""
    summary = await services.attendance.of_student(caller, student_id=StudentId(student_id), term_id=TermId(term_id))
    return SummaryOut.of(summary)
