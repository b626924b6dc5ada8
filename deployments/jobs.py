"""Long work: look, watch, cancel."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from core.ids import JobId
from core.jobs.model import Job, JobState
from deployments.ground.admission import Streaming
from deployments.ground.job import JobOut, asker_of, job_out
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.sse import EventStream, ServerEvent, event_stream
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=PROBLEMS)


@router.get("", operation_id="listJobs", summary="List jobs, the newest first")
async def list_jobs(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    state: JobState | None = None,
) -> Page[JobOut]:
    """Return the school's jobs to those with `jobs:read`, to others their own."""
    found = await services.jobs.list_page(
        asker_of(caller), kind=kind, state=state, after=page.keys(datetime, UUID), limit=page.limit + 1
    )
    return page_of(request, response, [job_out(job) for job in found], page, key=_sort_key)


@router.get("/{job_id}", operation_id="getJob", summary="Read a job")
async def get_job(job_id: JobId, caller: Caller, services: ServicesDep) -> JobOut:
    """Return where the job stands."""
    return job_out(await services.jobs.get(asker_of(caller), job=job_id))


@router.get(
    "/{job_id}/events",
    operation_id="watchJob",
    summary="Watch a job until it is finished",
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    dependencies=[Streaming],
)
async def watch_job(job_id: JobId, caller: Caller, services: ServicesDep) -> EventStream:
    """Send a `job` event now and after each change; the data is the job."""
    await services.jobs.get(asker_of(caller), job=job_id)  # a stream that has begun can't answer 404 any more
    return event_stream(_events(services.jobs.watch(asker_of(caller), job=job_id)))


@router.post("/{job_id}/cancel", operation_id="cancelJob", summary="Ask a job to stop", status_code=202)
async def cancel_job(job_id: JobId, caller: Caller, services: ServicesDep) -> JobOut:
    """Ask; a running job stops when it next looks, and then says `cancelled`."""
    return job_out(await services.jobs.request_cancel(asker_of(caller), job=job_id))


async def _events(jobs: AsyncIterator[Job]) -> AsyncIterator[ServerEvent]:
    async for job in jobs:
        yield ServerEvent("job", job_out(job))


def _sort_key(job: JobOut) -> tuple[datetime, JobId]:
    return job.created_at, job.id
