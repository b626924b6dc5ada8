"""Who may call and read which register."""

from core.access.principal import Principal, Role, Scope
from core.errors import Conflict, InvalidInput, NotPermitted
from core.school.attendance.model import RegisterHead

LEADERS = (Role.PRINCIPAL, Role.SCHOOL_ADMIN)


def leads(principal: Principal) -> bool:
    """Tell whether every register of the school is the caller's."""
    return principal.has_role(*LEADERS)


def has_class(principal: Principal, head: RegisterHead) -> bool:
    """Tell whether the caller is the arm's class teacher."""
    is_class_teacher = principal.staff_id is not None and principal.staff_id == head.class_teacher_id
    return is_class_teacher and principal.has_role(Role.CLASS_TEACHER)


def require_read(principal: Principal, head: RegisterHead, *, teaches: bool) -> None:
    """Raise ``NotPermitted`` unless the class is the caller's to see: led, looked after or taught."""
    if not (leads(principal) or has_class(principal, head) or teaches):
        raise NotPermitted("this register is not of a class you teach")


def require_write(principal: Principal, head: RegisterHead) -> None:
    """Raise ``NotPermitted`` unless the caller may call this register: the class teacher, or the school's leaders."""
    principal.require(Scope.ATTENDANCE_WRITE)
    if not (leads(principal) or has_class(principal, head)):
        raise NotPermitted("the register is called by the class teacher of this class")


def require_callable(head: RegisterHead) -> None:
    """Raise ``InvalidInput`` for a day to come or outside every term, ``Conflict`` for one of a closed term."""
    if head.day > head.today:
        raise InvalidInput(f"{head.day:%d/%m/%Y} is still to come; today is {head.today:%d/%m/%Y}")
    if head.term_id is None:
        raise InvalidInput(f"{head.day:%d/%m/%Y} is in no term of the school")
    if head.term_closed:
        raise Conflict("the term is closed; reopen it to correct its registers")
