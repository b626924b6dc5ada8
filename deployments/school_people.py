"""Routes of people: students, guardians, staff."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from core.access.principal import Role
from core.school.model import Channel, Gender, Language
from core.school.records.values import cleaned
from deployments.ground.problem import PROBLEMS
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import FamilyRoutes, Filters
from deployments.school_fields import (
    UNSET,
    ClassArmFilter,
    Code,
    Contact,
    Line,
    SearchFilter,
    SessionFilter,
    StudentFilter,
    Title,
)

router = APIRouter(prefix="/api/school", tags=["people"], responses=PROBLEMS)

ChannelOrder = Annotated[
    list[Channel], Field(min_length=1, max_length=3, description="Channels in the order they are tried, each once.")
]
Roles = Annotated[
    list[Role], Field(min_length=1, max_length=6, description="Roles of the account, of those for staff.")
]


class StudentIn(WireRequest):
    """A student; an account is opened with it."""

    student_no: Annotated[Code, Field(examples=["KCL/S/25/0001"])]
    family_name: Line
    given_names: Line
    gender: Gender
    date_of_birth: date | None = None


class StudentChange(WireRequest):
    """What changes of a student."""

    student_no: Code = UNSET
    family_name: Line = UNSET
    given_names: Line = UNSET
    gender: Gender = UNSET
    date_of_birth: date | None = None
    left_on: Annotated[date | None, Field(description="The day the student left; the account is closed from then.")] = (
        None
    )


class StudentOut(Wire):
    """A student, of the present or of the past."""

    id: UUID
    student_no: str
    family_name: str
    given_names: str
    gender: Gender
    date_of_birth: date | None
    left_on: date | None
    version: int


class GuardianIn(WireRequest):
    """A guardian; an account is opened with it."""

    title: Title = ""
    family_name: Line
    given_names: Line
    language: Language = Language.EN
    phone: Contact = None
    email: Contact = None
    channel_order: ChannelOrder = UNSET


class GuardianChange(WireRequest):
    """What changes of a guardian. Guardians themselves change language and channel order."""

    title: Title = UNSET
    family_name: Line = UNSET
    given_names: Line = UNSET
    language: Language = UNSET
    phone: Contact = None
    email: Contact = None
    channel_order: ChannelOrder = UNSET


class GuardianOut(Wire):
    """A guardian. Phone and email are left out for those who may not see them."""

    id: UUID
    title: str
    family_name: str
    given_names: str
    language: Language
    phone: str | None
    email: str | None
    contact_hidden: bool
    channel_order: list[Channel]
    consented: Annotated[list[Channel], Field(description="Channels that the newest consent allows.")]
    version: int


class StaffIn(WireRequest):
    """A member of staff; an account with these roles is opened with it, of a subject teacher where none is given."""

    staff_no: Annotated[Code, Field(examples=["T/001"])]
    title: Title = ""
    family_name: Line
    given_names: Line
    phone: Contact = None
    email: Contact = None
    roles: Roles = UNSET


class StaffChange(WireRequest):
    """What changes of a member of staff."""

    staff_no: Code = UNSET
    title: Title = UNSET
    family_name: Line = UNSET
    given_names: Line = UNSET
    phone: Contact = None
    email: Contact = None
    active: Annotated[bool, Field(description="Whether the account may log in.")] = UNSET
    roles: Roles = UNSET


class StaffOut(Wire):
    """A member of staff."""

    id: UUID
    staff_no: str
    title: str
    family_name: str
    given_names: str
    phone: str | None
    email: str | None
    active: bool
    roles: list[Role]
    version: int


def _student_filters(
    search: SearchFilter = None,
    session_id: SessionFilter = None,
    class_arm_id: ClassArmFilter = None,
    present: Annotated[bool | None, Query(description="Only those who have not left, or only those who have.")] = None,
) -> Filters:
    """An arm without a session is the arm of the present one."""
    return {"search": search, "session_id": session_id, "class_arm_id": class_arm_id, "present": present}


def _guardian_filters(
    search: SearchFilter = None,
    student_id: StudentFilter = None,
    phone: Annotated[str | None, Query(max_length=30, description="In any form; for those who see all phones.")] = None,
) -> Filters:
    return {"search": search, "student_id": student_id, **(cleaned({"phone": phone}))}


def _staff_filters(
    search: SearchFilter = None, role: Annotated[Role | None, Query()] = None, active: bool | None = None
) -> Filters:
    return {"search": search, "role": role, "active": active}


FamilyRoutes(
    path="students",
    operation="Student",
    operations="Students",
    one="a student",
    many="students by name",
    family=lambda records: records.students,
    new=StudentIn,
    change=StudentChange,
    answer=StudentOut,
    filters=_student_filters,
).add_to(router)
FamilyRoutes(
    path="guardians",
    operation="Guardian",
    operations="Guardians",
    one="a guardian",
    many="guardians by name",
    family=lambda records: records.guardians,
    new=GuardianIn,
    change=GuardianChange,
    answer=GuardianOut,
    filters=_guardian_filters,
).add_to(router)
FamilyRoutes(
    path="staff",
    operation="Staff",
    operations="StaffMembers",
    one="a member of staff",
    many="staff by name",
    family=lambda records: records.staff,
    new=StaffIn,
    change=StaffChange,
    answer=StaffOut,
    filters=_staff_filters,
).add_to(router)
