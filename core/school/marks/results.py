"""What the marks of a sheet come to, student by student. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.ids import StudentId
from core.school.grading import ResultStatus, SubjectResult, average, positions, subject_result
from core.school.marks.model import Mark, Marks, MarkStatus, RosterStudent, SheetHead
from core.school.policies import Component


@dataclass(frozen=True, slots=True)
class StudentLine:
    """One student's line of a sheet."""

    student: RosterStudent
    marks: Mapping[str, Mark]
    """By component; one that is not there is missing."""
    result: SubjectResult
    position: int | None


@dataclass(frozen=True, slots=True)
class SheetResults:
    """A whole sheet, worked out."""

    lines: tuple[StudentLine, ...]
    class_average: Decimal | None
    missing: int
    """Marks not there yet."""
    absent: int
    """Marks "absent"."""
    exempt: int

    def line_of(self, student_id: StudentId) -> StudentLine | None:
        """Return one student's line."""
        return next((line for line in self.lines if line.student.id == student_id), None)


def work_out(head: SheetHead, roster: Sequence[RosterStudent], marks: Marks) -> SheetResults:
    """Return totals, grades, positions and the class average of a sheet."""
    by_student = {student.id: _marks_of(student.id, head.components, marks) for student in roster}
    results = {who: subject_result(own, head.components, head.grading) for who, own in by_student.items()}
    scores = {who: result.score for who, result in results.items() if result.score is not None}
    placed = positions(scores)
    lines = (
        StudentLine(student, by_student[student.id], results[student.id], placed.get(student.id)) for student in roster
    )
    statuses = [mark.status for own in by_student.values() for mark in own.values()]
    return SheetResults(
        tuple(lines),
        average(scores.values()),
        missing=sum(len(result.missing) for result in results.values()),
        absent=statuses.count(MarkStatus.ABSENT),
        exempt=statuses.count(MarkStatus.EXEMPT),
    )


def students_with_marks(results: SheetResults) -> tuple[StudentId, ...]:
    """Return who has at least one mark, absent included: their guardians hear of a publication."""
    return tuple(line.student.id for line in results.lines if line.marks)


def incomplete(results: SheetResults) -> tuple[StudentLine, ...]:
    """Return the lines with a missing mark."""
    return tuple(line for line in results.lines if line.result.status is ResultStatus.INCOMPLETE)


def _marks_of(student_id: StudentId, components: Sequence[Component], marks: Marks) -> dict[str, Mark]:
    found = ((part.code, marks.get((student_id, part.code))) for part in components)
    return {code: mark for code, mark in found if mark is not None}
