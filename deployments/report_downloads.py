"""Printed cards on their way out: archives, bundles, broadsheets, publishing, and a guardian's own children's cards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import RedirectResponse
from pydantic import Field

from core.ids import ClassArmId, JobId, StudentId, TermId
from core.reports.publishing import Publication
from core.reports.publishing_store import PublishedCard
from core.school.model import display_name
from deployments.ground.idempotency import Idempotent
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/reports", tags=["report cards"], responses=PROBLEMS)

_JOB = "/jobs/{job_id}"
_TERM = "/terms/{term_id}"
_CLASS = _TERM + "/class-arms/{class_arm_id}"
_STUDENT = _TERM + "/students/{student_id}"
_PDF = "application/pdf"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LINK: dict[str, Any] = {
    "response_class": RedirectResponse,
    "status_code": status.HTTP_302_FOUND,
    "responses": {302: {"description": "`Location` is a link that holds for ten minutes; ask again for another."}},
}


class PublishIn(WireRequest):
    """Whose cards are published."""

    student_ids: list[StudentId] | None = Field(
        default=None, min_length=1, max_length=5_000, description="Left out: everyone whose card is printed."
    )


class WithheldOut(Wire):
    """A card that is not handed out, and why."""

    student_id: StudentId
    reason: str


class PublicationOut(Wire):
    """What came of publishing."""

    published: list[StudentId]
    """Their guardians are told."""
    unchanged: list[StudentId]
    """Published before; nobody is told again."""
    outdated: list[StudentId]
    """Guardians see a later version already."""
    withheld: list[WithheldOut]

    @classmethod
    def of(cls, found: Publication) -> Self:
        """Return a publication as it is shown."""
        return cls(
            published=list(found.published),
            unchanged=list(found.unchanged),
            outdated=list(found.outdated),
            withheld=[WithheldOut(student_id=who, reason=why) for who, why in found.withheld.items()],
        )


class PublishedCardOut(Wire):
    """A card that is there to be downloaded."""

    term_id: TermId
    term: str
    session: str
    student_id: StudentId
    student: str
    published_at: datetime
    href: str
    """Where it is downloaded."""

    @classmethod
    def of(cls, found: PublishedCard) -> Self:
        """Return a published card as it is shown."""
        return cls(
            term_id=found.term_id,
            term=found.term_name,
            session=found.session_name,
            student_id=found.student_id,
            student=display_name(found.family_name, found.given_names),
            published_at=found.published_at,
            href=f"/api/reports/terms/{found.term_id}/students/{found.student_id}/published-card",
        )


class PublishedCardsOut(Wire):
    """The published cards of one's children, or one's own."""

    cards: list[PublishedCardOut]


@router.get(_JOB + "/download", operation_id="downloadReports", summary="Download a batch as a ZIP archive", **_LINK)
async def download(caller: Caller, services: ServicesDep, job_id: UUID) -> RedirectResponse:
    """Lead to the archive: a PDF for each student and `manifest.json`, which says what became of each (P5-08)."""
    return _led(await services.handouts.handing_out.archive(caller, job=JobId(job_id)))


@router.get(
    _JOB + "/students/{student_id}/card", operation_id="downloadCard", summary="Download one card of a batch", **_LINK
)
async def download_card(caller: Caller, services: ServicesDep, job_id: UUID, student_id: UUID) -> RedirectResponse:
    """Lead to one student's card."""
    found = await services.handouts.handing_out.card(caller, job=JobId(job_id), student_id=StudentId(student_id))
    return _led(found)


@router.get(
    _JOB + "/class-arms/{class_arm_id}/bundle.pdf",
    operation_id="downloadBundle",
    summary="Download a class's cards as one PDF",
    response_class=Response,
    responses={200: {"content": {_PDF: _BINARY}}},
)
async def download_bundle(caller: Caller, services: ServicesDep, job_id: UUID, class_arm_id: UUID) -> Response:
    """Return the printed cards of a class, sorted by name, with a bookmark for each; tagged where every card is."""
    content = await services.handouts.handing_out.bundle(
        caller, job=JobId(job_id), class_arm_id=ClassArmId(class_arm_id)
    )
    return _file(content, _PDF, "report-cards.pdf")


@router.post(
    _JOB + "/publish", operation_id="publishReports", summary="Publish printed cards", dependencies=[Idempotent]
)
async def publish(caller: Caller, services: ServicesDep, job_id: UUID, body: PublishIn | None = None) -> PublicationOut:
    """Let guardians see the cards, and tell those who did not see them before, once."""
    chosen = body.student_ids if body else None
    return PublicationOut.of(await services.handouts.publishing.publish(caller, job=JobId(job_id), student_ids=chosen))


@router.delete(
    _STUDENT + "/published-card",
    operation_id="withdrawCard",
    summary="Take a published card back",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def withdraw(caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID) -> None:
    """Let guardians see the card no longer; it can be published again."""
    await services.handouts.publishing.withdraw(caller, term_id=TermId(term_id), student_id=StudentId(student_id))


@router.get(
    _STUDENT + "/published-card",
    operation_id="downloadPublishedCard",
    summary="Download one's own child's card",
    **_LINK,
)
async def download_own(caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID) -> RedirectResponse:
    """Lead a guardian to a child's published card, a student to the own one; 403 says why one is withheld."""
    found = await services.handouts.handing_out.own_card(
        caller, term_id=TermId(term_id), student_id=StudentId(student_id)
    )
    return _led(found)


@router.get("/published-cards", operation_id="listPublishedCards", summary="List one's own children's cards")
async def list_own(
    caller: Caller, services: ServicesDep, term_id: Annotated[UUID | None, Query(alias="termId")] = None
) -> PublishedCardsOut:
    """Return the published cards of the caller's children, or the caller's own, the newest term first."""
    found = await services.handouts.handing_out.published(caller, term_id=TermId(term_id) if term_id else None)
    return PublishedCardsOut(cards=[PublishedCardOut.of(each) for each in found])


@router.get(
    _CLASS + "/broadsheet.pdf",
    operation_id="getBroadsheet",
    summary="Download a class's broadsheet",
    response_class=Response,
    responses={200: {"content": {_PDF: _BINARY}}},
)
async def broadsheet(caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID) -> Response:
    """Return every student and subject of a class on A4 across, from the records as they are now."""
    content = await services.handouts.broadsheets.pdf(
        caller, term_id=TermId(term_id), class_arm_id=ClassArmId(class_arm_id)
    )
    return _file(content, _PDF, "broadsheet.pdf")


@router.get(
    _CLASS + "/broadsheet.xlsx",
    operation_id="getBroadsheetWorkbook",
    summary="Download a class's broadsheet as an Excel file",
    response_class=Response,
    responses={200: {"content": {_XLSX: _BINARY}}},
)
async def broadsheet_workbook(caller: Caller, services: ServicesDep, term_id: UUID, class_arm_id: UUID) -> Response:
    """Return the broadsheet as a workbook of one sheet."""
    content = await services.handouts.broadsheets.workbook(
        caller, term_id=TermId(term_id), class_arm_id=ClassArmId(class_arm_id)
    )
    return _file(content, _XLSX, "broadsheet.xlsx")


_PRIVATE: Mapping[str, str] = {"Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer"}


def _led(link: str) -> RedirectResponse:
    return RedirectResponse(link, status.HTTP_302_FOUND, headers=_PRIVATE)


def _file(content: bytes, media_type: str, name: str) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers={**_PRIVATE, **disposition})
