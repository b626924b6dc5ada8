"""Routes of what ties people together: guardianships, consents, one's own children."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import Field

from core.ids import GuardianId, StudentId
from core.school.model import Channel
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.school_family import RecordId
from deployments.school_fields import GuardianFilter, Line, StudentFilter
from deployments.school_people import StudentOut
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/school", tags=["people"], responses=PROBLEMS)

StudentPath = Annotated[UUID, Path(alias="studentId")]
GuardianPath = Annotated[UUID, Path(alias="guardianId")]


class GuardianshipIn(WireRequest):
    """How a guardian stands for a student."""

    relationship: Annotated[Line, Field(examples=["mother"])]
    receives_messages: bool = True


class GuardianshipOut(Wire):
    """That a guardian stands for a student."""

    guardian_id: UUID
    student_id: UUID
    relationship: str
    receives_messages: bool


class ChildOut(Wire):
    """A student as the guardian knows it."""

    student: StudentOut
    relationship: str
    receives_messages: bool
    class_arm_id: UUID | None
    class_arm_name: str | None


class ConsentIn(WireRequest):
    """A consent, or its withdrawal. What a guardian gives oneself is of the portal, whatever the source says."""

    channel: Channel
    granted: bool
    source: Literal["form", "portal"] = "form"


class ConsentOut(Wire):
    """A consent or its withdrawal, as it was recorded."""

    id: UUID
    guardian_id: UUID
    channel: Channel
    granted: bool
    source: str
    recorded_by: UUID | None
    recorded_at: datetime


@router.get("/guardianships", operation_id="listGuardianships", summary="List who stands for whom")
async def list_guardianships(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    student_id: StudentFilter = None,
    guardian_id: GuardianFilter = None,
) -> Page[GuardianshipOut]:
    """Return a page of guardianships; guardians and students get their own."""
    found = await services.records.guardianships.page(
        caller,
        student_id=StudentId(student_id) if student_id else None,
        guardian_id=GuardianId(guardian_id) if guardian_id else None,
        after=page.after,
        limit=page.limit,
    )
    shown = [GuardianshipOut.model_validate(link) for link in found]
    return page_of(request, response, shown, page, lambda link: (link.student_id, link.guardian_id))


@router.get("/me/children", operation_id="listOwnChildren", summary="List one's own children")
async def list_own_children(caller: Caller, services: ServicesDep) -> list[ChildOut]:
    """Return the children of the guardian who asks, each with the present class."""
    return [ChildOut.model_validate(child) for child in await services.records.students.children(caller)]


@router.put(
    "/students/{studentId}/guardians/{guardianId}",
    operation_id="putGuardianship",
    summary="Make a guardian stand for a student, or change how",
)
async def put_guardianship(
    caller: Caller, services: ServicesDep, student_id: StudentPath, guardian_id: GuardianPath, body: GuardianshipIn
) -> GuardianshipOut:
    """Make or change a guardianship."""
    link = await services.records.guardianships.put(
        caller, GuardianId(guardian_id), StudentId(student_id), body.model_dump()
    )
    return GuardianshipOut.model_validate(link)


@router.delete(
    "/students/{studentId}/guardians/{guardianId}",
    operation_id="removeGuardianship",
    summary="End a guardianship",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def remove_guardianship(
    caller: Caller, services: ServicesDep, student_id: StudentPath, guardian_id: GuardianPath
) -> None:
    """End a guardianship; both people stay on record."""
    await services.records.guardianships.remove(caller, GuardianId(guardian_id), StudentId(student_id))


@router.get("/guardians/{id}/consents", operation_id="listConsents", summary="List a guardian's consents, newest first")
async def list_consents(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    record_id: RecordId,
) -> Page[ConsentOut]:
    """Return the history of a guardian's consents; the newest of a channel counts."""
    found = await services.records.guardians.consents(caller, GuardianId(record_id), after=page.after, limit=page.limit)
    shown = [ConsentOut.model_validate(consent) for consent in found]
    return page_of(request, response, shown, page, lambda consent: (consent.recorded_at, consent.id))


@router.post(
    "/guardians/{id}/consents",
    operation_id="addConsent",
    summary="Record a consent or its withdrawal",
    status_code=status.HTTP_201_CREATED,
)
async def add_consent(caller: Caller, services: ServicesDep, record_id: RecordId, body: ConsentIn) -> ConsentOut:
    """Record that a guardian allows or refuses a channel from now on."""
    consent = await services.records.guardians.consent(
        caller, GuardianId(record_id), channel=body.channel, granted=body.granted, source=body.source
    )
    return ConsentOut.model_validate(consent)
