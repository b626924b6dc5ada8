"""A job on the wire, and the answer of a route that starts one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from pydantic import Field

from core.access.principal import Principal, Scope
from core.ids import JobId
from core.jobs.model import Asker, Job, JobState
from deployments.ground.wire import Wire


class JobOut(Wire):
    """Long work: ``done`` of ``total`` are over, ``failed`` of those came to nothing."""

    id: JobId
    kind: str
    state: JobState
    done: int
    failed: int
    total: int | None = Field(description="Null while it is not known.")
    eta: datetime | None = Field(description="When it will be done at the pace so far.")
    error: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def asker_of(caller: Principal) -> Asker:
    """Return the caller as one who asks about jobs: `jobs:read` sees all, `users:manage` cancels all."""
    return Asker(caller.school, caller.user_id, caller.may(Scope.JOBS_READ), caller.may(Scope.USERS_MANAGE))


def job_out(job: Job) -> JobOut:
    """Return a job as it is shown."""
    shown = {name: getattr(job, name) for name in JobOut.model_fields if name != "eta"}
    return JobOut(**shown, eta=job.eta(datetime.now(UTC)))


def accepted(response: Response, job: Job) -> JobOut:
    """Answer 202 with ``Location``: the work is under way and can be watched there."""
    response.status_code = 202
    response.headers["Location"] = f"/api/jobs/{job.id}"
    return job_out(job)
