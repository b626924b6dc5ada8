"""SQL of jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.ids import JobId, SchoolId, UserId
from core.jobs.model import Job, JobState
from core.ports import Row, Transaction

_COLUMNS = (
    "id, kind, state, done, failed, total, error, result, detail, cancel_requested, created_by, created_at, started_at,"
    " heartbeat_at, finished_at"
)
_OPEN = "state IN ('queued', 'running')"


def _job(row: Row) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})


async def insert(
    tx: Transaction,
    school: SchoolId,
    job: JobId,
    kind: str,
    *,
    total: int | None,
    detail: Mapping[str, Any],
    created_by: UserId | None,
    now: datetime,
) -> Job:
    """Add a queued job."""
    row = await tx.fetchrow(
        "INSERT INTO jobs (school_id, id, kind, state, total, detail, created_by, created_at)"
        f" VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7) RETURNING {_COLUMNS}",
        school,
        job,
        kind,
        total,
        dict(detail),
        created_by,
        now,
    )
    assert row is not None  # noqa: S101 - an INSERT without ON CONFLICT returns its row or raises
    return _job(row)


async def read(tx: Transaction, job: JobId) -> Job | None:
    """Return a job of the school in scope, or None."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM jobs WHERE id = $1", job)
    return _job(row) if row else None


async def list_page(
    tx: Transaction,
    *,
    created_by: UserId | None,
    kind: str | None,
    state: JobState | None,
    after: tuple[datetime, JobId] | None,
    limit: int,
) -> Sequence[Job]:
    """Return jobs, the newest first; of one user where one is given."""
    at, last = after or (None, None)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM jobs WHERE ($1::uuid IS NULL OR created_by = $1) AND ($2::text IS NULL OR kind = $2)"
        " AND ($3::text IS NULL OR state = $3)"
        " AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::uuid))"
        " ORDER BY created_at DESC, id DESC LIMIT $6",
        created_by,
        kind,
        state,
        at,
        last,
        limit,
    )
    return [_job(row) for row in rows]


async def mark_progress(
    tx: Transaction, job: JobId, *, done: int, failed: int, total: int | None, now: datetime
) -> Job | None:
    """Write down how far an open job is, never less far than before; None where it is finished."""
    row = await tx.fetchrow(
        "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, $5), heartbeat_at = $5,"
        " done = greatest(done, $2), failed = greatest(failed, $3), total = coalesce($4, total)"
        f" WHERE id = $1 AND {_OPEN} RETURNING {_COLUMNS}",
        job,
        done,
        failed,
        total,
        now,
    )
    return _job(row) if row else None


async def finish(
    tx: Transaction,
    job: JobId,
    *,
    state: JobState,
    error: Mapping[str, Any] | None,
    result: Mapping[str, Any] | None,
    now: datetime,
) -> Job | None:
    """End an open job; None where it is finished."""
    row = await tx.fetchrow(
        "UPDATE jobs SET state = $2, error = $3, result = $4, finished_at = $5, heartbeat_at = $5"
        f" WHERE id = $1 AND {_OPEN} RETURNING {_COLUMNS}",
        job,
        state,
        error,
        result,
        now,
    )
    return _job(row) if row else None


async def request_cancel(tx: Transaction, job: JobId, now: datetime) -> Job | None:
    """Ask an open job to stop: a queued one stops here, a running one when it next looks. None where it is finished."""
    row = await tx.fetchrow(
        "UPDATE jobs SET cancel_requested = true,"
        " state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,"
        " finished_at = CASE state WHEN 'queued' THEN $2::timestamptz END"
        f" WHERE id = $1 AND {_OPEN} RETURNING {_COLUMNS}",
        job,
        now,
    )
    return _job(row) if row else None


async def heartbeat(tx: Transaction, job: JobId, now: datetime) -> bool:
    """Note that a job's worker is alive; tell whether it should go on."""
    row = await tx.fetchrow(
        "UPDATE jobs SET state = 'running', started_at = coalesce(started_at, $2), heartbeat_at = $2"
        f" WHERE id = $1 AND {_OPEN} RETURNING cancel_requested",
        job,
        now,
    )
    return row is not None and not row["cancel_requested"]


_FAIL_ABANDONED = """
UPDATE jobs SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'failed' END, finished_at = $2,
       error = CASE WHEN NOT cancel_requested THEN $3::jsonb END
WHERE state = 'running' AND heartbeat_at < $1
RETURNING id, kind
"""
_ABANDONED = {
    "title": "The work was interrupted",
    "detail": "Whoever worked on it was lost on the way. Nothing is half done that shows; start it again.",
}


async def fail_abandoned(tx: Transaction, *, before: datetime, now: datetime) -> list[tuple[JobId, str]]:
    """End the running jobs of all schools that were last heard of before a moment; return each with its kind.

    One that was asked to stop has stopped.
    """
    rows = await tx.fetch(_FAIL_ABANDONED, before, now, _ABANDONED)
    return [(JobId(row["id"]), row["kind"]) for row in rows]
