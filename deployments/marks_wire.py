"""Marks on the wire: what the routes of ``deployments.marks`` take and give."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from core.access.principal import Role
from core.ids import StudentId
from core.school.grading import ResultStatus
from core.school.marks.approval import SheetState
from core.school.marks.model import AuditEntry, ListedSheet, Mark, MarkStatus, SheetHead, Step
from core.school.marks.results import SheetResults, StudentLine
from core.school.marks.sheets import Edit, SheetView
from core.school.marks.student_results import StudentResults, SubjectLine
from core.school.policies import Component
from deployments.ground.wire import Wire, WireRequest

Reason = Annotated[str, StringConstraints(min_length=3, max_length=500, pattern=r"^[^\x00]*$")]
ListedState = Literal["not_opened", "draft", "submitted", "approved", "published"]


class MarkOut(Wire):
    """One component's mark."""

    status: Literal["scored", "absent", "exempt", "missing"]
    value: float | None = Field(description="Set for a scored one only.")

    @classmethod
    def of(cls, mark: Mark | None) -> Self:
        """Return a mark, None as missing."""
        if mark is None:
            return cls(status="missing", value=None)
        return cls(status=mark.status.value, value=None if mark.value is None else float(mark.value))


class ComponentOut(Wire):
    """A part of the subject's mark."""

    code: str
    name: str
    max: int


class Place(Wire):
    """An id with its name."""

    id: UUID
    name: str


class SheetOut(Wire):
    """A mark sheet without its marks."""

    id: UUID
    state: SheetState
    waits_for: Role | None = Field(description="Whose approval is due.")
    round: int = Field(description="Counts up each time the published sheet is reopened.")
    version: int
    published_at: datetime | None
    term: Place
    session_name: str
    class_arm: Place
    subject: Place
    teacher: Place | None
    components: list[ComponentOut]

    @classmethod
    def fields_of(cls, head: SheetHead) -> dict[str, object]:
        """Return the fields from a sheet."""
        return {
            "id": head.id,
            "state": head.standing.state,
            "waits_for": head.waits_for,
            "round": head.standing.round,
            "version": head.version,
            "published_at": head.published_at,
            "term": Place(id=head.term_id, name=head.term_name),
            "session_name": head.session_name,
            "class_arm": Place(id=head.class_arm_id, name=head.class_arm_name),
            "subject": Place(id=head.subject_id, name=head.subject_name),
            "teacher": Place(id=head.teacher_id, name=head.teacher_name) if head.teacher_id else None,
            "components": [ComponentOut(code=part.code, name=part.name, max=part.max) for part in head.components],
        }


class ResultOut(Wire):
    """What one student's marks in a subject come to."""

    marks: dict[str, MarkOut] = Field(description="By component code.")
    status: ResultStatus
    missing: list[str] = Field(description="Codes of components without a mark.")
    total: float = Field(description="The sum of the marks that are there.")
    score: float | None = Field(description="0-100; absent unless the marks are complete.")
    grade: str | None
    remark: str | None
    passed: bool | None
    position: int | None = Field(description="Equals share one: 1, 2, 2, 4.")

    @classmethod
    def fields_of(cls, line: StudentLine, components: Sequence[Component]) -> dict[str, object]:
        """Return the fields from a line of a sheet."""
        result = line.result
        return {
            "marks": {part.code: MarkOut.of(line.marks.get(part.code)) for part in components},
            "status": result.status,
            "missing": list(result.missing),
            "total": float(result.total),
            "score": None if result.score is None else float(result.score),
            "grade": result.grade,
            "remark": result.remark,
            "passed": result.passed,
            "position": line.position,
        }


class StudentLineOut(ResultOut):
    """One student's line of a sheet."""

    student_id: UUID
    student_no: str
    name: str


class StepOut(Wire):
    """One move along the approval chain."""

    action: str
    from_state: str
    to_state: str
    actor_id: UUID | None
    actor_name: str
    role: str
    comment: str
    at: datetime

    @classmethod
    def of(cls, step: Step) -> Self:
        """Return a step."""
        return cls.model_validate(step)


class SheetResultsOut(SheetOut):
    """A mark sheet with its marks and what they come to."""

    students: list[StudentLineOut]
    class_average: float | None
    missing_marks: int
    absent_marks: int
    exempt_marks: int
    steps: list[StepOut]

    @classmethod
    def of(cls, view: SheetView) -> Self:
        """Return a sheet as its staff see it."""
        results = view.results
        return cls.model_validate(
            SheetOut.fields_of(view.head)
            | {
                "students": [_line(line, view.head) for line in results.lines],
                "class_average": _average(results),
                "missing_marks": results.missing,
                "absent_marks": results.absent,
                "exempt_marks": results.exempt,
                "steps": [StepOut.of(step) for step in view.steps],
            }
        )


class ListedSheetOut(Wire):
    """A teaching load in a term, and its mark sheet where one is open."""

    id: UUID | None = Field(description="Absent until the sheet is opened.")
    version: int | None
    state: ListedState
    steps_done: int
    round: int
    term: Place
    session_name: str
    class_arm: Place
    subject: Place
    teacher: Place
    marked_students: int

    @classmethod
    def of(cls, sheet: ListedSheet) -> Self:
        """Return a line of the list."""
        return cls.model_validate(
            {
                "id": sheet.id,
                "version": sheet.version,
                "state": sheet.state,
                "steps_done": sheet.steps_done,
                "round": sheet.round,
                "term": Place(id=sheet.term_id, name=sheet.term_name),
                "session_name": sheet.session_name,
                "class_arm": Place(id=sheet.class_arm_id, name=sheet.class_arm_name),
                "subject": Place(id=sheet.subject_id, name=sheet.subject_name),
                "teacher": Place(id=sheet.teacher_id, name=sheet.teacher_name),
                "marked_students": sheet.marked_students,
            }
        )


class OpenSheet(WireRequest):
    """Which sheet is to be opened."""

    term_id: UUID
    class_arm_id: UUID
    subject_id: UUID


class MarkEdit(WireRequest):
    """One mark as it should be."""

    student_id: UUID
    component: str = Field(max_length=40, description="The component's code.")
    status: Literal["scored", "absent", "exempt", "missing"] = "scored"
    value: Decimal | None = Field(None, max_digits=12, description="For a scored one; at most two decimals.")

    def to_edit(self) -> Edit:
        """Return the edit."""
        status = None if self.status == "missing" else MarkStatus(self.status)
        return Edit(StudentId(self.student_id), self.component, status, self.value)


class EditMarks(WireRequest):
    """Marks to be changed, and why."""

    reason: Reason
    marks: list[MarkEdit] = Field(min_length=1, max_length=500)


class AuditEntryOut(Wire):
    """One change of one mark."""

    id: int
    student_id: UUID
    component: str
    old: MarkOut
    new: MarkOut
    actor_id: UUID | None
    actor_name: str
    reason: str
    upload_id: UUID | None
    sheet_version: int
    at: datetime

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return an entry of the audit."""
        return cls(
            id=entry.id,
            student_id=entry.student_id,
            component=entry.component,
            old=MarkOut.of(entry.old),
            new=MarkOut.of(entry.new),
            actor_id=entry.actor_id,
            actor_name=entry.actor_name,
            reason=entry.reason,
            upload_id=entry.upload_id,
            sheet_version=entry.sheet_version,
            at=entry.at,
        )


class SubjectResultOut(ResultOut):
    """One subject of a student."""

    sheet_id: UUID
    subject: Place
    teacher_name: str
    state: SheetState
    components: list[ComponentOut]
    class_average: float | None
    class_size: int

    @classmethod
    def of(cls, subject: SubjectLine) -> Self:
        """Return one subject."""
        head = subject.head
        return cls.model_validate(
            ResultOut.fields_of(subject.line, head.components)
            | {
                "sheet_id": head.id,
                "subject": Place(id=head.subject_id, name=head.subject_name),
                "teacher_name": head.teacher_name,
                "state": head.standing.state,
                "components": [ComponentOut(code=part.code, name=part.name, max=part.max) for part in head.components],
                "class_average": _average(subject.results),
                "class_size": len(subject.results.lines),
            }
        )


class StudentResultsOut(Wire):
    """A student's results of a term."""

    student_id: UUID
    student_no: str
    name: str
    term_id: UUID
    subjects: list[SubjectResultOut]

    @classmethod
    def of(cls, results: StudentResults) -> Self:
        """Return the results."""
        return cls(
            student_id=results.student.id,
            student_no=results.student.student_no,
            name=results.student.name,
            term_id=results.term_id,
            subjects=[SubjectResultOut.of(subject) for subject in results.subjects],
        )


def _line(line: StudentLine, head: SheetHead) -> StudentLineOut:
    student = line.student
    return StudentLineOut.model_validate(
        ResultOut.fields_of(line, head.components)
        | {"student_id": student.id, "student_no": student.student_no, "name": student.name}
    )


def _average(results: SheetResults) -> float | None:
    return None if results.class_average is None else float(results.class_average)
