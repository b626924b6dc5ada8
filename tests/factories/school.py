"""A small school with one person in every role, for tests of every noun."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Role, scopes_of
from core.ids import (
    ClassArmId,
    ClosureId,
    DepartmentId,
    GuardianId,
    LevelId,
    PolicyId,
    SchoolId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TeachingLoadId,
    TermId,
    UserId,
    new_id,
)
from core.ports import Database, Transaction
from core.school.defaults import insert_default_policies
from core.school.model import STAFF_ROLES, PolicyKind, Stage

TERM_DATES = (
    ("First Term", date(2027, 9, 6), date(2027, 12, 17)),
    ("Second Term", date(2028, 1, 10), date(2028, 4, 7)),
    ("Third Term", date(2028, 4, 24), date(2028, 7, 21)),
)
_CHRISTMAS = date(2027, 12, 25)
"""A Saturday after the term: no lesson falls out on it."""
CONSENTED_AT = datetime(2027, 9, 1, 8, 0, tzinfo=UTC)
"""Before the moment a ``FakeClock`` stands at."""
ARM_NAMES = ("Ruby", "Emerald", "Sapphire", "Topaz", "Amber", "Pearl")
SUBJECTS = (("MTH", "Mathematics"), ("ENG", "English Language"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSchool:
    """The ids of a made school, and a principal for each of its people.

    The subject teacher teaches Mathematics and the class teacher English in every arm; the class teacher has the first
    arm. The head of department heads Sciences, to which both subjects belong. Students stand arm by arm.
    """

    id: SchoolId
    code: str
    session: SessionId
    terms: tuple[TermId, ...]
    closure: ClosureId
    level: LevelId
    department: DepartmentId
    arms: tuple[ClassArmId, ...]
    subjects: tuple[SubjectId, ...]
    loads: Mapping[tuple[ClassArmId, SubjectId], TeachingLoadId]
    staff: Mapping[Role, StaffId]
    students: tuple[StudentId, ...]
    arm_of: Mapping[StudentId, ClassArmId]
    guardians: tuple[GuardianId, ...]
    guardians_of: Mapping[StudentId, tuple[GuardianId, ...]]
    policies: Mapping[tuple[PolicyKind, Stage | None], PolicyId]
    users: Mapping[StaffId | GuardianId | StudentId, UserId]
    principals: Mapping[Role, Principal]
    """One a role; the guardian is the first of the first student."""

    def as_(self, role: Role) -> Principal:
        """Return the person of a role."""
        return self.principals[role]

    def guardian(self, guardian_id: GuardianId) -> Principal:
        """Return a guardian as one who asks."""
        return _principal(self.id, Role.GUARDIAN, self.users[guardian_id], guardian_id=guardian_id)

    def student(self, student_id: StudentId) -> Principal:
        """Return a student as one who asks."""
        return _principal(self.id, Role.STUDENT, self.users[student_id], student_id=student_id)


@dataclass(slots=True)
class _Plan:
    """The rows of a school that is being made, table by table in the order of their references."""

    school_id: SchoolId
    code: str
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    users: dict[Any, UserId] = field(default_factory=dict)

    def add(self, table: str, **values: object) -> UUID:
        """Plan a row with a new id, and return it."""
        made = new_id()
        self.rows.setdefault(table, []).append({"school_id": self.school_id, "id": made, **values})
        return made

    def link(self, table: str, **values: object) -> None:
        """Plan a row that has no id of its own."""
        self.rows.setdefault(table, []).append({"school_id": self.school_id, **values})

    def account(self, who: str, owner: UUID, username: str, name: str, role: Role) -> None:
        """Plan the account of a member of staff, guardian or student."""
        values = {who: owner, "username": username, "display_name": name, "roles": [role.value]}
        self.users[owner] = UserId(self.add(f"users/{who}", **values))


async def make_school(
    db: Database, *, arms: int = 1, students: int = 3, guardians_per_student: int = 1, code: str | None = None
) -> MadeSchool:
    """Make a school with ``students`` in each arm, every guardian with all consents, in one transaction."""
    plan = _Plan(SchoolId(uuid.uuid4()), code or f"school-{uuid.uuid4().hex[:12]}")
    staff = _plan_staff(plan)
    session, terms = _plan_calendar(plan)
    closure = ClosureId(plan.add("school_closures", name="Christmas Day", starts_on=_CHRISTMAS, ends_on=_CHRISTMAS))
    level, department, arm_ids, subjects = _plan_structure(plan, staff, arms)
    loads = _plan_loads(plan, session, arm_ids, subjects, staff)
    arm_of = _plan_students(plan, session, arm_ids, students)
    guardians_of = _plan_guardians(plan, tuple(arm_of), guardians_per_student)
    async with db.tenant(plan.school_id) as tx:
        await tx.execute(
            "INSERT INTO schools (id, code, name) VALUES ($1, $2, $3)", plan.school_id, plan.code, f"School {plan.code}"
        )
        for table, rows in plan.rows.items():
            await insert_rows(tx, table.split("/")[0], rows)
        policies = await insert_default_policies(tx, plan.school_id)
    guardians = tuple(guardian for several in guardians_of.values() for guardian in several)
    return MadeSchool(
        id=plan.school_id,
        code=plan.code,
        session=session,
        terms=terms,
        closure=closure,
        level=level,
        department=department,
        arms=arm_ids,
        subjects=subjects,
        loads=loads,
        staff=staff,
        students=tuple(arm_of),
        arm_of=arm_of,
        guardians=guardians,
        guardians_of=guardians_of,
        policies=policies,
        users=plan.users,
        principals=_principals(plan, staff, guardians, tuple(arm_of)),
    )


async def insert_rows(tx: Transaction, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows of the same columns into a table by one statement; columns that are left out get their defaults."""
    columns = ", ".join(rows[0])
    plain = [
        {name: value if isinstance(value, int | list | None) else str(value) for name, value in row.items()}
        for row in rows
    ]
    await tx.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1)", plain
    )


def _plan_staff(plan: _Plan) -> dict[Role, StaffId]:
    staff: dict[Role, StaffId] = {}
    for number, role in enumerate(sorted(STAFF_ROLES), start=1):
        email, name = f"{role.value}@{plan.code}.example", role.value.replace("_", " ").title()
        made = plan.add("staff", staff_no=f"T/{number:03}", family_name=name, given_names="Adé", email=email)
        staff[role] = StaffId(made)
        plan.account("staff_id", made, email, f"{name} Adé", role)
    return staff


def _plan_calendar(plan: _Plan) -> tuple[SessionId, tuple[TermId, ...]]:
    starts, ends = date(2027, 9, 1), date(2028, 8, 31)
    session = SessionId(plan.add("academic_sessions", name="2027/2028", starts_on=starts, ends_on=ends))
    terms = [
        plan.add("terms", session_id=session, number=number, name=name, starts_on=starts, ends_on=ends)
        for number, (name, starts, ends) in enumerate(TERM_DATES, start=1)
    ]
    return session, tuple(map(TermId, terms))


def _plan_structure(
    plan: _Plan, staff: Mapping[Role, StaffId], arms: int
) -> tuple[LevelId, DepartmentId, tuple[ClassArmId, ...], tuple[SubjectId, ...]]:
    level = LevelId(plan.add("levels", name="JSS 2", stage="JSS", rank=2))
    department = DepartmentId(plan.add("departments", name="Sciences", head_id=staff[Role.HEAD_OF_DEPARTMENT]))
    subjects = [plan.add("subjects", code=code, name=name, department_id=department) for code, name in SUBJECTS]
    arm_ids = [
        plan.add(
            "class_arms",
            level_id=level,
            name=ARM_NAMES[number] if number < len(ARM_NAMES) else f"Arm {number + 1}",
            class_teacher_id=staff[Role.CLASS_TEACHER] if number == 0 else None,
        )
        for number in range(arms)
    ]
    return level, department, tuple(map(ClassArmId, arm_ids)), tuple(map(SubjectId, subjects))


def _plan_loads(
    plan: _Plan,
    session: SessionId,
    arms: Sequence[ClassArmId],
    subjects: Sequence[SubjectId],
    staff: Mapping[Role, StaffId],
) -> dict[tuple[ClassArmId, SubjectId], TeachingLoadId]:
    teachers = (staff[Role.SUBJECT_TEACHER], staff[Role.CLASS_TEACHER])
    loads: dict[tuple[ClassArmId, SubjectId], TeachingLoadId] = {}
    for arm in arms:
        for subject, teacher in zip(subjects, teachers, strict=True):
            keys = {"session_id": session, "class_arm_id": arm, "subject_id": subject, "staff_id": teacher}
            loads[arm, subject] = TeachingLoadId(plan.add("teaching_loads", **keys, periods_per_week=5))
    return loads


def _plan_students(
    plan: _Plan, session: SessionId, arms: Sequence[ClassArmId], students: int
) -> dict[StudentId, ClassArmId]:
    arm_of: dict[StudentId, ClassArmId] = {}
    for number, arm in enumerate((arm for arm in arms for _ in range(students)), start=1):
        name, gender = f"Student{number:04}", ("female", "male")[number % 2]
        student_no = f"{plan.code.upper()}/{number:04}"
        made = plan.add("students", student_no=student_no, family_name=name, given_names="Tọ́lá", gender=gender)
        plan.link("enrolments", session_id=session, student_id=made, class_arm_id=arm)
        plan.account("student_id", made, student_no.lower(), f"{name} Tọ́lá", Role.STUDENT)
        arm_of[StudentId(made)] = arm
    return arm_of


def _plan_guardians(
    plan: _Plan, students: Sequence[StudentId], per_student: int
) -> dict[StudentId, tuple[GuardianId, ...]]:
    guardians_of: dict[StudentId, tuple[GuardianId, ...]] = {}
    number = 0
    for student in students:
        guardians: list[GuardianId] = []
        for _ in range(per_student):
            number += 1
            guardians.append(_plan_guardian(plan, student, number))
        guardians_of[student] = tuple(guardians)
    return guardians_of


def _plan_guardian(plan: _Plan, student: StudentId, number: int) -> GuardianId:
    name, email = f"Guardian{number:04}", f"guardian{number}@{plan.code}.example"
    phone = f"+234803{number:07}"
    made = GuardianId(plan.add("guardians", family_name=name, given_names="Ngọzi", email=email, phone=phone))
    plan.link("guardianships", guardian_id=made, student_id=student, relationship="mother")
    for channel in ("email", "sms", "push"):
        plan.add("consents", guardian_id=made, channel=channel, granted=True, source="form", recorded_at=CONSENTED_AT)
    plan.account("guardian_id", made, email, f"{name} Ngọzi", Role.GUARDIAN)
    return made


def _principal(school_id: SchoolId, role: Role, user_id: UserId, **who: Any) -> Principal:
    roles = frozenset({role})
    return Principal(user_id=user_id, school_id=school_id, roles=roles, scopes=scopes_of(roles), **who)


def _principals(
    plan: _Plan, staff: Mapping[Role, StaffId], guardians: Sequence[GuardianId], students: Sequence[StudentId]
) -> dict[Role, Principal]:
    made = {role: _principal(plan.school_id, role, plan.users[who], staff_id=who) for role, who in staff.items()}
    for guardian in guardians[:1]:
        made[Role.GUARDIAN] = _principal(plan.school_id, Role.GUARDIAN, plan.users[guardian], guardian_id=guardian)
    for student in students[:1]:
        made[Role.STUDENT] = _principal(plan.school_id, Role.STUDENT, plan.users[student], student_id=student)
    return made
