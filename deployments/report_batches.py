"""Printing report cards: batches as jobs, one card while one waits, a style being tried out."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status

from core.ids import JobId, SessionId, StudentId, TermId
from core.reports.batch_records import BatchJob, ItemState
from deployments.ground.idempotency import Idempotent
from deployments.ground.job import accepted
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.report_batches_wire import BatchItemOut, GenerateIn, ReportJobOut, SingleIn, StyledIn
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/reports", tags=["report cards"], responses=PROBLEMS)

_PDF: Mapping[int | str, dict[str, Any]] = {
    200: {
        "description": "The card.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ASKED: dict[str, Any] = {"status_code": status.HTTP_202_ACCEPTED, "dependencies": [Idempotent]}
_JOB = "/jobs/{job_id}"


@router.post("/generate", operation_id="generateReports", summary="Print report cards", **_ASKED)
async def generate(caller: Caller, services: ServicesDep, response: Response, body: GenerateIn) -> ReportJobOut:
    """Start a batch; 409 lists what cards lack, unless they are to be left out or printed all the same."""
    return _started(response, await services.batches.generate(caller, body.to_wanted()))


@router.get(_JOB, operation_id="getReportJob", summary="See how a batch of report cards stands")
async def get_job(caller: Caller, services: ServicesDep, job_id: JobId) -> ReportJobOut:
    """Return how many cards are over, and how many of them came to nothing."""
    return ReportJobOut.of(await services.batches.get(caller, job=job_id))


@router.get(_JOB + "/items", operation_id="listReportJobItems", summary="See what came of each card of a batch")
async def list_items(
    *,
    caller: Caller,
    services: ServicesDep,
    job_id: JobId,
    request: Request,
    response: Response,
    page: PageParams,
    state: Annotated[ItemState | None, Query()] = None,
) -> Page[BatchItemOut]:
    """Return each student's card by class and name, with its reason where there is none."""
    after = page.keys(int)
    found = await services.batches.items(
        caller, job=job_id, state=state, after=after[0] if after else None, limit=page.limit + 1
    )
    items = [BatchItemOut.of(item) for item in found]
    return page_of(request, response, items, page, key=lambda item: (item.position,))


@router.post(_JOB + "/retry", operation_id="retryReportJob", summary="Print again what a batch did not", **_ASKED)
async def retry(caller: Caller, services: ServicesDep, response: Response, job_id: JobId) -> ReportJobOut:
    """Start a new batch of what failed; what was printed is taken over as it is."""
    return _started(response, await services.batches.retry(caller, job=job_id))


@router.post(
    _JOB + "/cancel",
    operation_id="cancelReportJob",
    summary="Stop a batch of report cards",
    status_code=status.HTTP_202_ACCEPTED,
)
async def cancel(caller: Caller, services: ServicesDep, job_id: JobId) -> ReportJobOut:
    """Stop the batch; what is printed stays and can be downloaded. As `POST /api/jobs/{jobId}/cancel`."""
    return ReportJobOut.of(await services.batches.cancel(caller, job=job_id))


@router.post(
    "/generate-single",
    operation_id="generateSingleReport",
    summary="Print one card while you wait",
    response_class=Response,
    responses=dict(_PDF),
)
async def generate_single(caller: Caller, services: ServicesDep, body: SingleIn) -> Response:
    """Return a student's card as the records give it now; it says that it is a draft."""
    return _pdf(await services.previews.single(caller, **_whose(body)))


@router.post(
    "/style/preview",
    operation_id="previewCardStyle",
    summary="See a card in a style before it is saved",
    response_class=Response,
    responses=dict(_PDF),
)
async def preview_style(caller: Caller, services: ServicesDep, body: StyledIn) -> Response:
    """Return a student's card in the style that is sent; nothing is changed."""
    return _pdf(await services.previews.single(caller, **_whose(body), style=body.style))


def _whose(body: SingleIn) -> dict[str, Any]:
    return {
        "student_id": StudentId(body.student_id),
        "session_id": SessionId(body.session_id),
        "term_id": TermId(body.term_id),
    }


def _pdf(content: bytes) -> Response:
    headers = {"Content-Disposition": 'inline; filename="report-card.pdf"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def _started(response: Response, batch: BatchJob) -> ReportJobOut:
    accepted(response, batch.job)
    return ReportJobOut.of(batch)
