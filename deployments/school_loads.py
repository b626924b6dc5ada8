"""Routes of who is taught what: teaching loads, enrolments, elective choices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import Field

from core.ids import ClassArmId, SessionId, StudentId, SubjectId
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import FamilyRoutes, Filters
from deployments.school_fields import UNSET, ClassArmFilter, SessionFilter, StaffFilter, StudentFilter, SubjectFilter
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["teaching"], responses=PROBLEMS)

Periods = Annotated[int, Field(ge=1, le=40)]
SessionPath = Annotated[UUID, Path(alias="sessionId")]
StudentPath = Annotated[UUID, Path(alias="studentId")]


class LoadIn(WireRequest):
    """Who teaches what to which arm in a session."""

    session_id: UUID
    class_arm_id: UUID
    subject_id: UUID
    staff_id: UUID
    periods_per_week: Periods
    elective: Annotated[bool, Field(description="Taken only by those who choose it.")] = False


class LoadChange(WireRequest):
    """What changes of a teaching load."""

    staff_id: UUID = UNSET
    periods_per_week: Periods = UNSET
    elective: bool = UNSET


class LoadOut(Wire):
    """Who teaches what to which arm in a session."""

    id: UUID
    session_id: UUID
    class_arm_id: UUID
    subject_id: UUID
    staff_id: UUID
    periods_per_week: int
    elective: bool
    version: int


class EnrolmentIn(WireRequest):
    """Students who are to be in an arm in a session; those who are in another arm are moved."""

    session_id: UUID
    class_arm_id: UUID
    student_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class EnrolledOut(Wire):
    """What an enrolment did."""

    enrolled: int
    moved: int
    unchanged: int
    electives_dropped: Annotated[int, Field(description="Choices of subjects that the new arm does not offer.")]


class EnrolmentOut(Wire):
    """The arm a student is in during a session."""

    session_id: UUID
    student_id: UUID
    class_arm_id: UUID
    class_arm_name: str


class ElectivesIn(WireRequest):
    """All elective subjects of a student in a session."""

    subject_ids: Annotated[list[UUID], Field(max_length=30)]


class ElectiveOut(Wire):
    """That a student takes an elective subject in a session."""

    session_id: UUID
    student_id: UUID
    subject_id: UUID


def _load_filters(
    session_id: SessionFilter = None,
    class_arm_id: ClassArmFilter = None,
    subject_id: SubjectFilter = None,
    staff_id: StaffFilter = None,
) -> Filters:
    return {"session_id": session_id, "class_arm_id": class_arm_id, "subject_id": subject_id, "staff_id": staff_id}


FamilyRoutes(
    path="teaching-loads",
    operation="TeachingLoad",
    operations="TeachingLoads",
    one="a teaching load",
    many="teaching loads",
    family=lambda records: records.teaching_loads,
    new=LoadIn,
    change=LoadChange,
    answer=LoadOut,
    filters=_load_filters,
).add_to(router)


@router.get("/enrolments", operation_id="listEnrolments", summary="List who is in which arm")
async def list_enrolments(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    session_id: SessionFilter = None,
    class_arm_id: ClassArmFilter = None,
    student_id: StudentFilter = None,
) -> Page[EnrolmentOut]:
    """Return a page of enrolments; guardians and students get their own."""
    enrolments = services.records.enrolments
    filters = {"session_id": session_id, "class_arm_id": class_arm_id, "student_id": student_id}
    found = await enrolments.page(caller, after=page.after, limit=page.limit, **filters)
    shown = [EnrolmentOut.model_validate(enrolment) for enrolment in found]
    return page_of(request, response, shown, page, lambda shown: (shown.session_id, shown.student_id))


@router.post("/enrolments", operation_id="enrolStudents", summary="Enrol students in an arm, or move them there")
async def enrol_students(caller: Caller, services: ServicesDep, body: EnrolmentIn) -> EnrolledOut:
    """Enrol or move students, all or none."""
    students = [StudentId(student) for student in body.student_ids]
    done = await services.records.enrolments.enrol(
        caller, SessionId(body.session_id), ClassArmId(body.class_arm_id), students
    )
    return EnrolledOut.model_validate(done)


@router.delete(
    "/enrolments/{sessionId}/{studentId}",
    operation_id="removeEnrolment",
    summary="Take a student out of a session",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def remove_enrolment(
    caller: Caller, services: ServicesDep, session_id: SessionPath, student_id: StudentPath
) -> None:
    """Take a student out of a session; 409 where there are marks."""
    await services.records.enrolments.remove(caller, SessionId(session_id), StudentId(student_id))


@router.get("/electives", operation_id="listElectives", summary="List who takes which elective subject")
async def list_electives(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    session_id: SessionFilter = None,
    student_id: StudentFilter = None,
    subject_id: SubjectFilter = None,
) -> Page[ElectiveOut]:
    """Return a page of elective choices; guardians and students get their own."""
    filters = {"session_id": session_id, "student_id": student_id, "subject_id": subject_id}
    found = await services.records.electives.page(caller, after=page.after, limit=page.limit, **filters)
    shown = [ElectiveOut.model_validate(choice) for choice in found]
    return page_of(request, response, shown, page, lambda shown: (shown.session_id, shown.student_id, shown.subject_id))


@router.put(
    "/students/{studentId}/electives/{sessionId}",
    operation_id="chooseElectives",
    summary="Set a student's elective subjects of a session",
)
async def choose_electives(
    caller: Caller, services: ServicesDep, student_id: StudentPath, session_id: SessionPath, body: ElectivesIn
) -> list[ElectiveOut]:
    """Make these the student's elective subjects, and no others."""
    subjects = [SubjectId(subject) for subject in body.subject_ids]
    chosen = await services.records.electives.choose(caller, SessionId(session_id), StudentId(student_id), subjects)
    return [ElectiveOut.model_validate(choice) for choice in chosen]
