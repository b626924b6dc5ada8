"""What is recorded of a class and a term, as cards are worked out from it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from core.ids import (
    ClassArmId,
    MarkSheetId,
    PolicyId,
    SchoolId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TermId,
)
from core.school.marks.approval import SheetState
from core.school.marks.model import Mark
from core.school.model import Gender, Stage, display_name
from core.school.policies import Component, GradingPolicy
from core.school.report_policies import ReportPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TermHead:
    """The term that cards are of, and its school."""

    school_id: SchoolId
    school_name: str
    address: str
    phone: str
    email: str
    logo_key: str | None
    time_zone: str
    principal_name: str
    """As the account of the principal says; empty where there is none, or more than one."""
    session_id: SessionId
    session_name: str
    term_id: TermId
    term_name: str
    term_number: int
    starts_on: date
    ends_on: date
    closed_at: datetime | None
    next_starts_on: date | None
    """The first day of the term after; None where the school has none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRecord:
    """One enrolled student."""

    id: StudentId
    class_arm_id: ClassArmId
    student_no: str
    family_name: str
    given_names: str
    gender: Gender
    photo_key: str | None

    @property
    def name(self) -> str:
        """The name as registers and cards write it: family name first."""
        return display_name(self.family_name, self.given_names)

    @property
    def first_name(self) -> str:
        """The first of the given names, as a remark calls the student."""
        return (self.given_names.split() or [self.family_name])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRecord:
    """One subject that a class takes in a term, with its marks."""

    subject_id: SubjectId
    code: str
    name: str
    elective: bool
    teacher_id: StaffId | None
    teacher_name: str
    sheet_id: MarkSheetId | None
    """None: nobody opened its mark sheet yet."""
    state: SheetState
    components: tuple[Component, ...]
    grading: GradingPolicy
    grading_id: PolicyId
    grading_name: str
    grading_version: int
    marks: Mapping[StudentId, Mapping[str, Mark]] = field(default_factory=dict)
    """By student and component; what is not there is missing."""


@dataclass(frozen=True, slots=True)
class EarlierScore:
    """What a student came to in a subject in an earlier term."""

    score: Decimal | None
    """Of what is recorded; what is missing counts as nothing scored."""
    absent: bool
    """Absent from everything that counted."""
    complete: bool = True
    """No mark is missing."""


TermNumber = int
Earlier = Mapping[StudentId, Mapping[TermId, Mapping[SubjectId, EarlierScore]]]
"""Results of earlier terms; a subject without any mark is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTerm:
    """A term before the one that cards are of."""

    id: TermId
    name: str
    number: TermNumber
    session_id: SessionId
    session_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRecord:
    """One class in one term: everyone in it, everything they take."""

    id: ClassArmId
    session_id: SessionId
    name: str
    """As people say it: ``JSS 2 Ruby``."""
    stage: Stage
    level_name: str
    next_level_name: str | None
    """None after the last year."""
    class_teacher_id: StaffId | None
    class_teacher_name: str
    students: tuple[StudentRecord, ...]
    """By name."""
    subjects: tuple[SubjectRecord, ...]
    """By name."""
    chosen: frozenset[tuple[StudentId, SubjectId]]
    """Who takes which elective."""
    rules: ReportPolicy
    earlier_terms: tuple[EarlierTerm, ...] = ()
    """Oldest first."""
    earlier: Earlier = field(default_factory=dict)

    def takes(self, student_id: StudentId, subject: SubjectRecord) -> bool:
        """Tell whether a student takes a subject: every one that is no elective, and those chosen."""
        return not subject.elective or (student_id, subject.subject_id) in self.chosen
