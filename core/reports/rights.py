"""Who may do what with report cards. Roles are given by name; which class a teacher has, the records say."""

from core.access.principal import Principal, Role
from core.errors import Conflict, NotFound, NotPermitted
from core.ids import ClassArmId, StaffId, StudentId, SubjectId, TermId
from core.ports import Row, Transaction
from core.reports import reach_store as store

LEADERS = (Role.PRINCIPAL, Role.SCHOOL_ADMIN)
"""They reach every class of the school."""


def leads(principal: Principal) -> bool:
    """Tell whether every class of the school is the caller's to see."""
    return principal.has_role(*LEADERS)


def require_leader(principal: Principal) -> None:
    """Raise ``NotPermitted`` unless the caller leads the school."""
    if not leads(principal):
        raise NotPermitted("this is for the school's leaders; name your own class")


def has_class(principal: Principal, class_teacher_id: StaffId | None) -> bool:
    """Tell whether the caller is the class's teacher."""
    is_teacher = principal.staff_id is not None and principal.staff_id == class_teacher_id
    return is_teacher and principal.has_role(Role.CLASS_TEACHER)


def require_class(principal: Principal, class_teacher_id: StaffId | None) -> None:
    """Raise ``NotPermitted`` unless the caller is the class's teacher or leads the school."""
    if not (leads(principal) or has_class(principal, class_teacher_id)):
        raise NotPermitted("this is for the class teacher of this class")


async def require_term(tx: Transaction, term_id: TermId, *, to_write: bool = False) -> Row:
    """Return a term. Raises ``NotFound``, and ``Conflict`` where it is closed and to be written to."""
    row = await store.term(tx, term_id)
    if row is None:
        raise NotFound("there is no such term")
    if to_write and row["closed_at"] is not None:
        raise Conflict(f"{row['name']} is closed; nothing of it changes any more")
    return row


async def require_arm(tx: Transaction, principal: Principal, class_arm_id: ClassArmId) -> None:
    """Raise ``NotFound`` or ``NotPermitted`` unless the class's cards are the caller's to see."""
    row = await store.arm(tx, class_arm_id)
    if row is None:
        raise NotFound("there is no such class")
    require_class(principal, row["class_teacher_id"])


async def class_of(tx: Transaction, term_id: TermId, student_id: StudentId) -> Row:
    """Return the class of a student in a term: ``class_arm_id``, ``class_teacher_id``. Raises ``NotFound``."""
    row = await store.class_of(tx, term_id, student_id)
    if row is None:
        raise NotFound("there is no such student in this term")
    return row


async def require_teaching(
    tx: Transaction, principal: Principal, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId
) -> None:
    """Raise ``NotFound`` or ``NotPermitted`` unless the caller teaches the subject in the class or leads the school."""
    row = await store.load(tx, term_id, class_arm_id, subject_id)
    if row is None or row["staff_id"] is None:
        raise NotFound("there is no such class or subject, or nobody teaches it there")
    if not leads(principal) and (principal.staff_id is None or principal.staff_id != row["staff_id"]):
        raise NotPermitted("this remark is written by the teacher of the subject in this class")
