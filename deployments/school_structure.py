"""Routes of the school's structure: levels, class arms, departments, subjects."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from core.school.model import Stage
from deployments.ground.problem import PROBLEMS
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import FamilyRoutes, Filters
from deployments.school_fields import UNSET, Code, Line

router = APIRouter(prefix="/api/school", tags=["school"], responses=PROBLEMS)

Rank = Annotated[int, Field(ge=1, le=30, description="Orders the levels, lowest first.")]


class LevelIn(WireRequest):
    """A year of study."""

    name: Annotated[Line, Field(examples=["JSS 2"])]
    stage: Stage
    rank: Rank


class LevelChange(WireRequest):
    """What changes of a year of study."""

    name: Line = UNSET
    stage: Stage = UNSET
    rank: Rank = UNSET


class LevelOut(Wire):
    """A year of study."""

    id: UUID
    name: str
    stage: Stage
    rank: int
    version: int


class ClassArmIn(WireRequest):
    """A class of a level."""

    level_id: UUID
    name: Annotated[Line, Field(examples=["Ruby"])]
    class_teacher_id: UUID | None = None


class ClassArmChange(WireRequest):
    """What changes of a class."""

    name: Line = UNSET
    class_teacher_id: UUID | None = None


class ClassArmOut(Wire):
    """A class of a level."""

    id: UUID
    level_id: UUID
    level_name: str
    stage: Stage
    name: str
    full_name: str
    class_teacher_id: UUID | None
    version: int


class DepartmentIn(WireRequest):
    """A group of subjects."""

    name: Line
    head_id: UUID | None = None


class DepartmentChange(WireRequest):
    """What changes of a group of subjects."""

    name: Line = UNSET
    head_id: UUID | None = None


class DepartmentOut(Wire):
    """A group of subjects under one head."""

    id: UUID
    name: str
    head_id: UUID | None
    version: int


class SubjectIn(WireRequest):
    """What is taught."""

    code: Annotated[Code, Field(examples=["MTH"])]
    name: Line
    department_id: UUID | None = None


class SubjectChange(WireRequest):
    """What changes of a subject."""

    code: Code = UNSET
    name: Line = UNSET
    department_id: UUID | None = None


class SubjectOut(Wire):
    """What is taught."""

    id: UUID
    code: str
    name: str
    department_id: UUID | None
    version: int


def _arm_filters(level_id: Annotated[UUID | None, Query(alias="levelId")] = None) -> Filters:
    return {"level_id": level_id}


def _subject_filters(department_id: Annotated[UUID | None, Query(alias="departmentId")] = None) -> Filters:
    return {"department_id": department_id}


FamilyRoutes(
    path="levels",
    operation="Level",
    operations="Levels",
    one="a level",
    many="levels, lowest first",
    family=lambda records: records.levels,
    new=LevelIn,
    change=LevelChange,
    answer=LevelOut,
).add_to(router)
FamilyRoutes(
    path="class-arms",
    operation="ClassArm",
    operations="ClassArms",
    one="a class arm",
    many="class arms by name",
    family=lambda records: records.class_arms,
    new=ClassArmIn,
    change=ClassArmChange,
    answer=ClassArmOut,
    filters=_arm_filters,
).add_to(router)
FamilyRoutes(
    path="departments",
    operation="Department",
    operations="Departments",
    one="a department",
    many="departments by name",
    family=lambda records: records.departments,
    new=DepartmentIn,
    change=DepartmentChange,
    answer=DepartmentOut,
).add_to(router)
FamilyRoutes(
    path="subjects",
    operation="Subject",
    operations="Subjects",
    one="a subject",
    many="subjects by name",
    family=lambda records: records.subjects,
    new=SubjectIn,
    change=SubjectChange,
    answer=SubjectOut,
    filters=_subject_filters,
).add_to(router)
