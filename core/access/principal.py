"""Who is asking, and what they may do. Roles are given to people; scopes are what routes and use cases ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import NotPermitted
from core.ids import GuardianId, SchoolId, StaffId, StudentId, UserId


class Role(StrEnum):
    """What a person is to the system."""

    PLATFORM_ADMIN = "platform_admin"
    SCHOOL_ADMIN = "school_admin"
    PRINCIPAL = "principal"
    HEAD_OF_DEPARTMENT = "head_of_department"
    CLASS_TEACHER = "class_teacher"
    SUBJECT_TEACHER = "subject_teacher"
    BURSAR = "bursar"
    GUARDIAN = "guardian"
    STUDENT = "student"
    OPS = "ops"
    ML = "ml"


class Scope(StrEnum):
    """One thing a token allows. ``own:read`` reaches only records about the caller or the caller's children."""

    OWN_READ = "own:read"
    RECORDS_READ = "records:read"
    RECORDS_WRITE = "records:write"
    IMPORTS_WRITE = "imports:write"
    POLICIES_WRITE = "policies:write"
    USERS_MANAGE = "users:manage"
    MARKS_READ = "marks:read"
    MARKS_WRITE = "marks:write"
    MARKS_APPROVE = "marks:approve"
    MARKS_PUBLISH = "marks:publish"
    ATTENDANCE_READ = "attendance:read"
    ATTENDANCE_WRITE = "attendance:write"
    FEES_READ = "fees:read"
    FEES_WRITE = "fees:write"
    NOTIFICATIONS_READ = "notifications:read"
    """One's own bell and preferences."""
    NOTIFICATIONS_MANAGE = "notifications:manage"
    """Every message of the school: trail, dead letters."""
    REPORTS_READ = "reports:read"
    """What report cards hold beside marks, and what they still lack."""
    REPORTS_WRITE = "reports:write"
    """Remarks and ratings of one's own subjects and class."""
    REPORTS_MANAGE = "reports:manage"
    """Finalising, printing and releasing cards, and how they look."""
    TIMETABLES_READ = "timetables:read"
    """Published timetables of the whole school."""
    TIMETABLES_MANAGE = "timetables:manage"
    """Making, changing and publishing timetables."""
    JOBS_READ = "jobs:read"
    SCHOOLS_MANAGE = "schools:manage"
    OPS_READ = "ops:read"


_EVERYONE = frozenset({Scope.NOTIFICATIONS_READ})
_TEACHER = (
    _EVERYONE
    | {Scope.RECORDS_READ, Scope.MARKS_READ, Scope.MARKS_WRITE, Scope.ATTENDANCE_READ, Scope.JOBS_READ}
    | {Scope.REPORTS_READ, Scope.REPORTS_WRITE, Scope.TIMETABLES_READ}
)
_LEADER = _TEACHER | {Scope.ATTENDANCE_WRITE, Scope.MARKS_APPROVE, Scope.NOTIFICATIONS_MANAGE}

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.PLATFORM_ADMIN: _EVERYONE | {Scope.SCHOOLS_MANAGE, Scope.OPS_READ},
    Role.SCHOOL_ADMIN: _LEADER
    | {Scope.RECORDS_WRITE, Scope.IMPORTS_WRITE, Scope.POLICIES_WRITE, Scope.USERS_MANAGE}
    | {Scope.FEES_READ, Scope.FEES_WRITE, Scope.MARKS_PUBLISH, Scope.REPORTS_MANAGE, Scope.TIMETABLES_MANAGE},
    Role.PRINCIPAL: _LEADER
    | {Scope.MARKS_PUBLISH, Scope.FEES_READ, Scope.POLICIES_WRITE, Scope.REPORTS_MANAGE, Scope.TIMETABLES_MANAGE},
    Role.HEAD_OF_DEPARTMENT: _TEACHER | {Scope.MARKS_APPROVE},
    Role.CLASS_TEACHER: _TEACHER | {Scope.ATTENDANCE_WRITE},
    Role.SUBJECT_TEACHER: _TEACHER,
    Role.BURSAR: _EVERYONE | {Scope.RECORDS_READ, Scope.FEES_READ, Scope.FEES_WRITE, Scope.JOBS_READ},
    Role.GUARDIAN: _EVERYONE | {Scope.OWN_READ},
    Role.STUDENT: _EVERYONE | {Scope.OWN_READ},
    Role.OPS: _EVERYONE | {Scope.OPS_READ},
    Role.ML: _EVERYONE | {Scope.OPS_READ, Scope.JOBS_READ},
}


def scopes_of(roles: frozenset[Role]) -> frozenset[Scope]:
    """Return everything the roles allow together."""
    return frozenset().union(*(ROLE_SCOPES[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Principal:
    """The one who asks, as the token says. The tenant comes from here and from nowhere else."""

    user_id: UserId
    school_id: SchoolId | None
    """None for platform staff, who see no school's records."""
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    """At most what the roles allow; a token may be narrower."""
    staff_id: StaffId | None = None
    guardian_id: GuardianId | None = None
    student_id: StudentId | None = None
    name: str = field(default="", repr=False)

    @property
    def school(self) -> SchoolId:
        """The caller's school. Raises ``NotPermitted`` for platform staff."""
        if self.school_id is None:
            raise NotPermitted("this account belongs to no school; use an account of the school")
        return self.school_id

    def may(self, scope: Scope) -> bool:
        """Tell whether the token allows this."""
        return scope in self.scopes

    def require(self, *scopes: Scope) -> None:
        """Raise ``NotPermitted`` unless the token allows at least one of these."""
        if not self.scopes.intersection(scopes):
            raise NotPermitted(f"this needs the scope {' or '.join(scopes)}")

    def has_role(self, *roles: Role) -> bool:
        """Tell whether the caller has at least one of these roles."""
        return not self.roles.isdisjoint(roles)
