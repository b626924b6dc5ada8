"""Searches for timetables: asked for, watched, cancelled, and what they came to."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response, status

from core.ids import JobId, TimetableId
from core.jobs.model import Job
from deployments.ground.etags import set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.job import accepted, asker_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.services import Services, ServicesDep
from deployments.timetable_wire import GENERATE, RESOLVE, BigBody, TimetableJobOut, TimetableWeeksOut, body_of

router = APIRouter(prefix="/api/timetable", tags=["timetables"], responses=PROBLEMS)

_SEARCH: dict[str, Any] = {"status_code": status.HTTP_202_ACCEPTED, "dependencies": [Idempotent]}


@router.post(
    "/generate",
    operation_id="generateTimetable",
    summary="Search for a timetable",
    openapi_extra=body_of(GENERATE),
    **_SEARCH,
)
async def generate(caller: Caller, services: ServicesDep, response: Response, body: BigBody) -> TimetableJobOut:
    """Start a search; 422 says in sentences why there can be no such timetable, where counting shows that."""
    job = await services.timetables.requests.generate(caller, body=body)
    return await _started(caller, services, response, job)


@router.post(
    "/explain",
    operation_id="explainTimetable",
    summary="Learn why there is no timetable",
    openapi_extra=body_of(GENERATE),
    **_SEARCH,
)
async def explain(caller: Caller, services: ServicesDep, response: Response, body: BigBody) -> TimetableJobOut:
    """Start the search for the fewest rules that can't hold together; the job's `result` has them in words."""
    job = await services.timetables.requests.explain(caller, body=body)
    return await _started(caller, services, response, job)


@router.post(
    "/{timetable_id}/resolve",
    operation_id="resolveTimetable",
    summary="Repair a timetable after a change",
    openapi_extra=body_of(RESOLVE),
    **_SEARCH,
)
async def resolve(
    caller: Caller, services: ServicesDep, response: Response, timetable_id: UUID, body: BigBody
) -> TimetableJobOut:
    """Start the search for the fewest lessons that have to move; the result is a new version of the timetable."""
    job = await services.timetables.requests.resolve(caller, timetable=TimetableId(timetable_id), body=body)
    return await _started(caller, services, response, job)


@router.get("/jobs/{job_id}", operation_id="getTimetableJob", summary="See how a search stands")
async def get_job(caller: Caller, services: ServicesDep, job_id: JobId) -> TimetableJobOut:
    """Return how the search stands, or how it ended: that there is none, too little time and a stop are three ends."""
    return TimetableJobOut.of(await services.timetables.races.get(caller, job=job_id))


@router.get("/jobs/{job_id}/result", operation_id="getTimetableJobResult", summary="Read what a search found")
async def get_result(caller: Caller, services: ServicesDep, response: Response, job_id: JobId) -> TimetableWeeksOut:
    """Return the complete grid by class, teacher and room; 409 before there is one."""
    shown = await services.timetables.races.result(caller, job=job_id)
    set_etag(response, shown.version.record.number)
    return await TimetableWeeksOut.made(shown)


@router.post(
    "/jobs/{job_id}/cancel",
    operation_id="cancelTimetableJob",
    summary="Stop a search",
    status_code=status.HTTP_202_ACCEPTED,
)
async def cancel_job(caller: Caller, services: ServicesDep, job_id: JobId) -> TimetableJobOut:
    """Stop the search within half a second; the best it had found is kept. As `POST /api/jobs/{jobId}/cancel`."""
    await services.timetables.races.get(caller, job=job_id)
    await services.jobs.request_cancel(asker_of(caller), job=job_id)
    return TimetableJobOut.of(await services.timetables.races.get(caller, job=job_id))


async def _started(caller: Caller, services: Services, response: Response, job: Job) -> TimetableJobOut:
    accepted(response, job)
    return TimetableJobOut.of(await services.timetables.races.get(caller, job=job.id))
