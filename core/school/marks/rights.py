"""Who may do what with a mark sheet. Roles are given by name; which sheet they reach, the records say."""

from core.access.principal import Principal, Role, Scope
from core.errors import NotPermitted
from core.school.marks.model import SheetHead

LEADERS = (Role.PRINCIPAL, Role.SCHOOL_ADMIN)
"""They reach every sheet of the school."""


def leads(principal: Principal) -> bool:
    """Tell whether every sheet of the school is the caller's to see."""
    return principal.has_role(*LEADERS)


def teaches(principal: Principal, head: SheetHead) -> bool:
    """Tell whether the caller holds the teaching load."""
    return principal.staff_id is not None and principal.staff_id == head.teacher_id


def heads_department(principal: Principal, head: SheetHead) -> bool:
    """Tell whether the caller heads the subject's department."""
    is_head = principal.staff_id is not None and principal.staff_id == head.department_head_id
    return is_head and principal.has_role(Role.HEAD_OF_DEPARTMENT)


def has_class(principal: Principal, head: SheetHead) -> bool:
    """Tell whether the caller is the arm's class teacher."""
    is_class_teacher = principal.staff_id is not None and principal.staff_id == head.class_teacher_id
    return is_class_teacher and principal.has_role(Role.CLASS_TEACHER)


def may_read(principal: Principal, head: SheetHead) -> bool:
    """Tell whether the caller may see the sheet, draft or not."""
    reaches = (teaches, heads_department, has_class)
    reached = leads(principal) or any(reach(principal, head) for reach in reaches)
    return principal.may(Scope.MARKS_READ) and reached


def require_read(principal: Principal, head: SheetHead) -> None:
    """Raise ``NotPermitted`` unless the caller may see the sheet."""
    if not may_read(principal, head):
        raise NotPermitted("this mark sheet is not of your subjects, your class or your department")


def require_write(principal: Principal, head: SheetHead) -> None:
    """Raise ``NotPermitted`` unless the caller may write marks: the subject's teacher, or the school's leaders."""
    principal.require(Scope.MARKS_WRITE)
    if not (leads(principal) or teaches(principal, head)):
        raise NotPermitted("marks are written by the teacher of the subject in this class")


def require_approval_of(principal: Principal, head: SheetHead, step: Role) -> None:
    """Raise ``NotPermitted`` unless the approval that is due is the caller's to give."""
    principal.require(Scope.MARKS_APPROVE)
    if not _holds_step(principal, head, step):
        of = " of the subject" if step is Role.HEAD_OF_DEPARTMENT else ""
        raise NotPermitted(f"this sheet waits for the {step.replace('_', ' ')}{of}")


def require_return(principal: Principal, head: SheetHead) -> None:
    """Raise ``NotPermitted`` unless the caller may send the sheet back: whoever's turn it is, or the principal."""
    principal.require(Scope.MARKS_APPROVE, Scope.MARKS_PUBLISH)
    if principal.has_role(Role.PRINCIPAL):
        return
    if head.waits_for is not None:
        require_approval_of(principal, head, head.waits_for)
    else:
        require_publish(principal)


def require_publish(principal: Principal) -> None:
    """Raise ``NotPermitted`` unless the caller may publish."""
    principal.require(Scope.MARKS_PUBLISH)


def require_reopen(principal: Principal) -> None:
    """Raise ``NotPermitted`` unless the caller is the principal, who alone takes back what guardians have seen."""
    principal.require(Scope.MARKS_PUBLISH)
    if not principal.has_role(Role.PRINCIPAL):
        raise NotPermitted("a published sheet is reopened by the principal")


def role_for(principal: Principal, head: SheetHead, preferred: Role | None = None) -> Role:
    """Return the role in which the caller acts on the sheet, for its history."""
    if preferred is not None and preferred in principal.roles:
        return preferred
    if teaches(principal, head) and not leads(principal):
        return Role.SUBJECT_TEACHER
    return next((role for role in LEADERS if role in principal.roles), min(principal.roles))


def _holds_step(principal: Principal, head: SheetHead, step: Role) -> bool:
    if step is not Role.HEAD_OF_DEPARTMENT:
        return principal.has_role(step)
    stands_in = head.department_head_id is None and principal.has_role(Role.PRINCIPAL)
    return stands_in or heads_department(principal, head)
