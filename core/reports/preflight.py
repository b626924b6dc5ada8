"""The pre-flight: what each card still lacks before it is printed, and who can mend it where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from core.access.principal import Principal, Scope
from core.errors import NotFound
from core.ids import ClassArmId, MarkSheetId, StaffId, StudentId, SubjectId, TermId
from core.ports import Database, Transaction
from core.reports import preflight_store as store
from core.reports import rights
from core.reports.preflight_store import StudentState, SubjectState
from core.reports.ratings import traits
from core.school.marks.approval import SheetState
from core.school.model import display_name
from core.school.report_policies import Finding, ReportPolicy


class Severity(StrEnum):
    """Whether a card is made all the same."""

    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """One thing that a student's card lacks."""

    student_id: StudentId
    student_no: str
    student_name: str
    class_arm_id: ClassArmId
    class_arm_name: str
    what: Finding
    severity: Severity
    sentence: str
    where: str
    """The route at which it is mended."""
    subject_id: SubjectId | None = None
    sheet_id: MarkSheetId | None = None
    responsible_id: StaffId | None = None
    """The member of staff who can mend it."""
    responsible_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a pre-flight found."""

    students: int
    """How many were looked at."""
    ready: int
    """How many of them nothing blocks."""
    lacks: tuple[Lack, ...]
    """By class and student."""

    @property
    def blocked(self) -> frozenset[StudentId]:
        """Return whose cards are not made."""
        return frozenset(lack.student_id for lack in self.lacks if lack.severity is Severity.BLOCK)


class Preflight:
    """Looks over cards before they are made."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def check(
        self,
        principal: Principal,
        *,
        term_id: TermId,
        student_ids: Sequence[StudentId] | None = None,
        class_arm_id: ClassArmId | None = None,
    ) -> Checked:
        """Return what the cards of these students lack; of a class, or of the whole school, where none are named.

        Leaders see every class, a class teacher their own. Raises ``NotFound`` for a term, class or student that is
        not there, and ``NotPermitted``.
        """
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await rights.require_term(tx, term_id)
            if class_arm_id is not None:
                await rights.require_arm(tx, principal, class_arm_id)
            else:
                rights.require_leader(principal)
            return await look_over(tx, term_id, student_ids=student_ids, class_arm_id=class_arm_id)


async def look_over(
    tx: Transaction,
    term_id: TermId,
    *,
    student_ids: Sequence[StudentId] | None,
    class_arm_id: ClassArmId | None = None,
) -> Checked:
    """Return what cards lack. Raises ``NotFound`` where a student named is not enrolled in the term."""
    students = await store.students(tx, term_id, student_ids=student_ids, class_arm_id=class_arm_id)
    if student_ids is not None and len(students) < len(set(student_ids)):
        raise NotFound("there is no such student in this term")
    subjects = await store.unready_subjects(tx, term_id, [student.id for student in students])
    lacks = [lack for student in students for lack in lacks_of(student, subjects.get(student.id, []), term_id)]
    blocked = {lack.student_id for lack in lacks if lack.severity is Severity.BLOCK}
    return Checked(students=len(students), ready=len(students) - len(blocked), lacks=tuple(lacks))


def lacks_of(student: StudentState, subjects: Sequence[SubjectState], term_id: TermId) -> Iterator[Lack]:
    """Yield what one student's card lacks."""
    if not student.takes_something:
        where = "/api/school/teaching-loads"
        yield _lack(student, Finding.MARKS, "Takes no subject this session: nobody teaches the class.", where)
    for subject in subjects:
        yield from _of_subject(student, subject)
    own = f"/api/reports/terms/{term_id}/students/{student.id}"
    teacher = (student.class_teacher_id, student.class_teacher_name)
    if not student.has_class_teacher_remark:
        what = "Has no remark of the class teacher."
        yield _lack(student, Finding.CLASS_TEACHER_REMARK, what, f"{own}/class-teacher-remark", teacher)
    if not student.has_principal_remark:
        yield _lack(student, Finding.PRINCIPAL_REMARK, "Has no remark of the principal.", f"{own}/principal-remark")
    unrated = [trait for trait in traits(student.rules) if trait not in student.scores]
    if unrated:
        yield _lack(student, Finding.RATINGS, _unrated(unrated, student.rules), f"{own}/ratings", teacher)
    if not student.has_photo:
        yield _lack(student, Finding.PHOTO, "Has no photo.", f"/api/reports/students/{student.id}/photo")
    if not student.has_attendance:
        where = f"/api/school/class-arms/{student.class_arm_id}/attendance"
        yield _lack(student, Finding.ATTENDANCE, "Stands in no register of this term.", where, teacher)


def _of_subject(student: StudentState, subject: SubjectState) -> Iterator[Lack]:
    sheet = "/api/school/mark-sheets"
    where = f"{sheet}/{subject.sheet_id}" if subject.sheet_id else sheet
    teacher = (subject.teacher_id, subject.teacher_name)
    about = (subject.subject_id, subject.sheet_id)
    if subject.sheet_id is None:
        what = f"{subject.subject_name}: the mark sheet has not been opened."
        yield _lack(student, Finding.MARKS, what, where, teacher, about=about)
        return
    if subject.missing:
        verb = "is" if subject.missing == 1 else "are"
        what = f"{subject.subject_name}: {subject.missing} of {subject.parts} marks {verb} missing."
        yield _lack(student, Finding.MARKS, what, where, teacher, about=about)
    if subject.state in (SheetState.DRAFT, SheetState.SUBMITTED):
        stands = "is still a draft" if subject.state is SheetState.DRAFT else "waits for approval"
        yield _lack(
            student, Finding.APPROVAL, f"{subject.subject_name}: the mark sheet {stands}.", where, teacher, about=about
        )


def _unrated(unrated: Sequence[str], rules: ReportPolicy) -> str:
    if len(unrated) == len(traits(rules)):
        return "Is not rated yet."
    return f"Is not rated in {', '.join(unrated)}."


def _lack(
    student: StudentState,
    what: Finding,
    sentence: str,
    where: str,
    responsible: tuple[StaffId | None, str] = (None, ""),
    *,
    about: tuple[SubjectId | None, UUID | None] = (None, None),
) -> Lack:
    return Lack(
        student_id=student.id,
        student_no=student.student_no,
        student_name=display_name(student.family_name, student.given_names),
        class_arm_id=student.class_arm_id,
        class_arm_name=student.class_arm_name,
        what=what,
        severity=Severity.BLOCK if what in student.rules.blocks else Severity.WARN,
        sentence=sentence,
        where=where,
        subject_id=about[0],
        sheet_id=MarkSheetId(about[1]) if about[1] else None,
        responsible_id=responsible[0],
        responsible_name=responsible[1],
    )
