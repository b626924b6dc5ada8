"""One student's results of a term, over all subjects, for whoever may see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Scope
from core.errors import NotFound
from core.ids import StudentId, SubjectId, TermId
from core.ports import Database, Transaction
from core.school.marks import rights, sheet_store, store
from core.school.marks.approval import SheetState
from core.school.marks.model import Cell, Mark, RosterStudent, SheetHead
from core.school.marks.results import SheetResults, StudentLine, work_out
from core.school.model import display_name


@dataclass(frozen=True, slots=True)
class SubjectLine:
    """One subject of one student."""

    head: SheetHead
    line: StudentLine
    results: SheetResults


@dataclass(frozen=True, slots=True)
class StudentResults:
    """A student's subjects in a term."""

    student: RosterStudent
    term_id: TermId
    subjects: tuple[SubjectLine, ...]


class MarkResults:
    """Results as guardians, students and staff see them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_student(self, principal: Principal, *, student_id: StudentId, term_id: TermId) -> StudentResults:
        """Return a student's results of a term; what an arm published before they left it stays.

        A student sees their own and a guardian their children's, published ones only; staff see of each sheet what
        they may. Raises ``NotFound`` for a student who is not there, and to guardians for one who is not theirs.
        """
        principal.require(Scope.OWN_READ, Scope.MARKS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            student = await _student(tx, principal, student_id)
            heads = await self._visible(tx, principal, student_id, term_id)
            rosters = await store.rosters(tx, [head.id for head in heads])
            marks = await store.marks_of(tx, [head.id for head in heads])
        found: dict[SubjectId, SubjectLine] = {}
        for head in heads:
            line = _line(student, head, rosters.get(head.id, []), marks.get(head.id, {}))
            if line is not None and (head.subject_id not in found or line.line.marks):
                found[head.subject_id] = line
        return StudentResults(student, term_id, tuple(found.values()))

    async def _visible(
        self, tx: Transaction, principal: Principal, student_id: StudentId, term_id: TermId
    ) -> Sequence[SheetHead]:
        heads = await sheet_store.heads_of_student(tx, term_id, student_id)
        if principal.may(Scope.MARKS_READ):
            return [head for head in heads if rights.may_read(principal, head)]
        return [head for head in heads if head.standing.state is SheetState.PUBLISHED]


def _line(
    student: RosterStudent, head: SheetHead, roster: Sequence[RosterStudent], marks: Mapping[Cell, Mark]
) -> SubjectLine | None:
    """Return a student's line of a sheet, also of one whose arm they have left since, and with it their marks."""
    is_marked = any(who == student.id for who, _ in marks)
    if is_marked and student.id not in {each.id for each in roster}:
        roster = [*roster, student]
    results = work_out(head, roster, marks)
    line = results.line_of(student.id)
    return None if line is None else SubjectLine(head, line, results)


async def _student(tx: Transaction, principal: Principal, student_id: StudentId) -> RosterStudent:
    row = await store.student_for(tx, student_id, principal.guardian_id)
    is_own = row is not None and (row["is_ward"] or principal.student_id == student_id)
    if row is None or not (is_own or principal.may(Scope.MARKS_READ)):
        raise NotFound("there is no such student")
    return RosterStudent(student_id, row["student_no"], display_name(row["family_name"], row["given_names"]))
