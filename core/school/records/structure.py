"""Use cases of the school's structure: levels, class arms, departments, subjects."""

from collections.abc import Mapping
from typing import ClassVar

from typing_extensions import override

from core.access.principal import Role, Scope
from core.ids import StaffId
from core.ports import Transaction
from core.school.model import ClassArm, Department, Level, Subject
from core.school.records import people_store
from core.school.records import structure_store as store
from core.school.records.family import Family
from core.school.records.table import Values
from core.school.records.values import refuse


class Levels(Family[Level]):
    """Years of study. Everyone of the school may read them."""

    table = store.LEVELS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)


class ClassArms(Family[ClassArm]):
    """Classes. Everyone of the school may read them. A class teacher holds that role before taking one."""

    table = store.CLASS_ARMS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)
    references: ClassVar[Mapping[str, str]] = {"level_id": "levels", "class_teacher_id": "staff"}

    @override
    async def _check(self, tx: Transaction, values: Values, before: ClassArm | None) -> None:
        await _require_role(tx, values, "class_teacher_id", Role.CLASS_TEACHER)


class Departments(Family[Department]):
    """Groups of subjects. A head holds that role before taking one."""

    table = store.DEPARTMENTS
    references: ClassVar[Mapping[str, str]] = {"head_id": "staff"}

    @override
    async def _check(self, tx: Transaction, values: Values, before: Department | None) -> None:
        await _require_role(tx, values, "head_id", Role.HEAD_OF_DEPARTMENT)


class Subjects(Family[Subject]):
    """What is taught. Everyone of the school may read it."""

    table = store.SUBJECTS
    readers = (Scope.RECORDS_READ, Scope.OWN_READ)
    references: ClassVar[Mapping[str, str]] = {"department_id": "departments"}


async def _require_role(tx: Transaction, values: Values, field: str, role: Role) -> None:
    """Raise ``InvalidInput`` unless the named member of staff holds the role: rights are not given in passing."""
    who: StaffId | None = values.get(field)
    if who is not None and role not in await people_store.roles_of(tx, who):
        raise refuse(field, f"this member of staff does not hold the role {role}; give it first", "role_missing")
