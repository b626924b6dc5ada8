"""Before and after a card is printed: the pre-flight, finalising, what was finalised, the release gate."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from core.ids import ClassArmId, SessionId, StudentId, TermId
from core.reports.card import Card
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.report_wire import (
    FinalisedOut,
    FinaliseIn,
    PreflightOut,
    ReleaseEntryOut,
    ReleaseIn,
    SnapshotOut,
    StudentsIn,
)
from deployments.services import ServicesDep

router = APIRouter(tags=["report cards"], responses=PROBLEMS)

_TERM = "/api/reports/terms/{term_id}"
_STUDENT = _TERM + "/students/{student_id}"


@router.get(_TERM + "/preflight", operation_id="preflightReports", summary="See what report cards still lack")
async def preflight(
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    class_arm_id: Annotated[UUID | None, Query(alias="classArmId", description="Left out: the whole school.")] = None,
) -> PreflightOut:
    """Return what each student's card lacks, who can mend it, and where."""
    arm = ClassArmId(class_arm_id) if class_arm_id else None
    return PreflightOut.of(
        await services.report_records.preflight.check(caller, term_id=TermId(term_id), class_arm_id=arm)
    )


@router.post(
    _TERM + "/preflight", operation_id="preflightReportsOf", summary="See what the report cards of some students lack"
)
async def preflight_of(caller: Caller, services: ServicesDep, term_id: UUID, body: StudentsIn) -> PreflightOut:
    """Return what the cards of these students lack; nothing is changed."""
    return PreflightOut.of(
        await services.report_records.preflight.check(caller, term_id=TermId(term_id), student_ids=body.to_ids())
    )


@router.post(
    "/api/reports/sessions/{session_id}/terms/{term_id}/finalise",
    operation_id="finaliseReports",
    summary="Finalise report cards",
    dependencies=[Idempotent],
)
async def finalise(
    caller: Caller, services: ServicesDep, session_id: UUID, term_id: UUID, body: FinaliseIn
) -> FinalisedOut:
    """Fix what the cards say, each under a serial; a card on which nothing has changed keeps the one it has."""
    finalised = await services.report_records.snapshots.finalise(
        caller,
        student_ids=body.to_ids(),
        session_id=SessionId(session_id),
        term_id=TermId(term_id),
        even_if_blocked=body.even_if_blocked,
    )
    return FinalisedOut.of(finalised)


@router.get(_STUDENT + "/card", operation_id="getCard", summary="Read a student's card as it is now")
async def get_card(caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID) -> Card:
    """Return the card as the records give it now, not finalised."""
    return await services.report_records.snapshots.preview(
        caller, term_id=TermId(term_id), student_id=StudentId(student_id)
    )


@router.get(_STUDENT + "/snapshots", operation_id="listSnapshots", summary="List a student's finalised cards")
async def list_snapshots(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    student_id: UUID,
    request: Request,
    response: Response,
    page: PageParams,
) -> Page[SnapshotOut]:
    """Return the finalised cards of a term, newest first."""
    after = page.keys(int)
    found = await services.report_records.snapshots.versions(
        caller,
        term_id=TermId(term_id),
        student_id=StudentId(student_id),
        before=after[0] if after else None,
        limit=page.limit + 1,
    )
    items = [SnapshotOut.of(each) for each in found]
    return page_of(request, response, items, page, key=lambda each: (each.version,))


@router.post(
    _STUDENT + "/release",
    operation_id="releaseCard",
    summary="Let a card out although fees are owed",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def release(caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID, body: ReleaseIn) -> None:
    """Set the release policy aside for a student and term; who did so and why stands in the log."""
    await services.report_records.release.override(
        caller, term_id=TermId(term_id), student_id=StudentId(student_id), reason=body.reason
    )


@router.delete(
    _STUDENT + "/release",
    operation_id="restoreRelease",
    summary="Let the release policy hold again",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def restore(caller: Caller, services: ServicesDep, term_id: UUID, student_id: UUID) -> None:
    """Take back that a card goes out although fees are owed."""
    await services.report_records.release.restore(caller, term_id=TermId(term_id), student_id=StudentId(student_id))


@router.get(_TERM + "/release-log", operation_id="listReleaseLog", summary="See which cards were withheld")
async def release_log(
    *,
    caller: Caller,
    services: ServicesDep,
    term_id: UUID,
    request: Request,
    response: Response,
    page: PageParams,
) -> Page[ReleaseEntryOut]:
    """Return each time a card was withheld, and each time that was set aside, newest first."""
    after = page.keys(int)
    found = await services.report_records.release.entries(
        caller, term_id=TermId(term_id), below=after[0] if after else None, limit=page.limit + 1
    )
    items = [ReleaseEntryOut.of(entry) for entry in found]
    return page_of(request, response, items, page, key=lambda entry: (entry.id,))
