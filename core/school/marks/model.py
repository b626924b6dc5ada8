"""What a mark sheet is: the marks of one subject in one class arm in one term."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from core.access.principal import Role
from core.ids import ClassArmId, MarkSheetId, MarkUploadId, SchoolId, StaffId, StudentId, SubjectId, TermId, UserId
from core.school.marks.approval import Standing, step_due
from core.school.policies import Component, GradingPolicy

DECIMALS = 2
"""Decimal places a mark may have: numeric(5, 2) in the database."""


class MarkStatus(StrEnum):
    """What is known about one component of one student. No mark at all means missing."""

    SCORED = "scored"
    ABSENT = "absent"
    """Did not sit it: counts as nothing scored."""
    EXEMPT = "exempt"
    """Need not sit it: the component does not count at all."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One component's mark of one student."""

    status: MarkStatus
    value: Decimal | None = None
    """Set for a scored one only."""

    @classmethod
    def scored(cls, value: Decimal | int | str) -> "Mark":
        """Return a mark with a value."""
        return cls(MarkStatus.SCORED, Decimal(value))

    def as_text(self) -> str:
        """Return the mark as a class sheet shows it: ``17.5``, ``A`` or ``X``."""
        if self.value is None:
            return "A" if self.status is MarkStatus.ABSENT else "X"
        return f"{self.value.normalize():f}"


ABSENT = Mark(MarkStatus.ABSENT)
EXEMPT = Mark(MarkStatus.EXEMPT)

Cell = tuple[StudentId, str]
"""A student and a component's code."""
Marks = Mapping[Cell, Mark]
"""Marks of one sheet; a cell that is not there is missing."""


@dataclass(frozen=True, slots=True)
class Change:
    """One mark that becomes another. None stands for missing."""

    student_id: StudentId
    component: str
    old: Mark | None
    new: Mark | None

    @property
    def cell(self) -> Cell:
        """Return which mark it is."""
        return self.student_id, self.component


@dataclass(frozen=True, slots=True)
class RosterStudent:
    """One who is on the sheet: enrolled in the arm, and taking the subject."""

    id: StudentId
    student_no: str
    name: str
    """Family name first, as registers list them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetHead:
    """A mark sheet without its marks: what it is about, who may touch it, and how far it has come."""

    id: MarkSheetId
    school_id: SchoolId
    school_name: str
    term_id: TermId
    term_name: str
    term_closed: bool
    """Nothing of a closed term changes any more."""
    session_name: str
    class_arm_id: ClassArmId
    class_arm_name: str
    """As people say it: ``JSS 2 Ruby``."""
    subject_id: SubjectId
    subject_name: str
    teacher_id: StaffId | None
    """Who holds the teaching load now."""
    teacher_name: str
    class_teacher_id: StaffId | None
    department_head_id: StaffId | None
    components: tuple[Component, ...]
    grading: GradingPolicy
    steps: tuple[Role, ...]
    standing: Standing
    version: int
    published_at: datetime | None

    @property
    def waits_for(self) -> Role | None:
        """Return whose approval is due."""
        return step_due(self.standing, self.steps)

    def component(self, code: str) -> Component | None:
        """Return a component by its code."""
        return next((component for component in self.components if component.code == code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSheet:
    """One line of the list of mark sheets: a teaching load in a term, and its sheet where one is open."""

    load_id: UUID
    sort_key: int
    """Newest term first."""
    level_rank: int
    id: MarkSheetId | None
    version: int | None
    state: str
    """``not_opened``, or the sheet's state."""
    steps_done: int
    round: int
    term_id: TermId
    term_name: str
    session_name: str
    class_arm_id: ClassArmId
    class_arm_name: str
    subject_id: SubjectId
    subject_name: str
    teacher_id: StaffId
    teacher_name: str
    marked_students: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change of one mark, as the database wrote it down."""

    id: int
    student_id: StudentId
    component: str
    old: Mark | None
    new: Mark | None
    actor_id: UserId | None
    actor_name: str
    reason: str
    upload_id: MarkUploadId | None
    sheet_version: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of a sheet along the approval chain."""

    action: str
    from_state: str
    to_state: str
    actor_id: UserId | None
    actor_name: str
    role: str
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One workbook whose marks were taken over."""

    id: MarkUploadId
    sheet_id: MarkSheetId
    file_key: str
    changed: int
    uploaded_by: UserId | None
    uploaded_at: datetime
    undone_at: datetime | None
