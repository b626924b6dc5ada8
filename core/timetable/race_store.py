"""SQL of the searches for timetables."""

from collections.abc import Sequence
from datetime import datetime

from core.ids import JobId, SchoolId, TimetableId, UserId
from core.ports import Transaction
from core.timetable.records import Claimed, Race, RaceEnd, RaceKind, RaceProgress, RaceRequest

_CLAIM = """
UPDATE timetable_races race SET state = 'running', lease_owner = $1, lease_until = $3, starts = race.starts + 1
FROM (
    SELECT school_id, job_id FROM timetable_races
    WHERE state = 'queued' OR (state = 'running' AND lease_until < $2)
    ORDER BY created_at LIMIT $4 FOR UPDATE SKIP LOCKED
) due
WHERE (race.school_id, race.job_id) = (due.school_id, due.job_id)
RETURNING race.school_id, race.job_id, race.starts
"""
_RENEW = """
UPDATE timetable_races SET lease_until = $3
WHERE state = 'running' AND lease_owner = $1 AND job_id = ANY ($2::uuid[]) RETURNING job_id
"""


async def add(
    tx: Transaction,
    job: JobId,
    kind: RaceKind,
    *,
    timetable: TimetableId | None,
    digest: str,
    request: RaceRequest,
    traceparent: str | None,
    created_by: UserId | None,
    now: datetime,
) -> None:
    """Queue a race."""
    await tx.execute(
        "INSERT INTO timetable_races (school_id, job_id, kind, timetable_id, problem_digest, request, traceparent,"
        " created_by, created_at) VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7, $8)",
        job,
        kind.value,
        timetable,
        digest,
        request.model_dump(mode="json", by_alias=True),
        traceparent,
        created_by,
        now,
    )


async def read(tx: Transaction, job: JobId) -> Race | None:
    """Return a race of the school in scope, or None."""
    row = await tx.fetchrow(
        "SELECT job_id, kind, timetable_id, problem_digest, request, outcome, progress, traceparent, created_by"
        " FROM timetable_races WHERE job_id = $1",
        job,
    )
    if row is None:
        return None
    fields = dict(row) | {
        "kind": RaceKind(row["kind"]),
        "request": RaceRequest.model_validate(row["request"]),
        "outcome": RaceEnd(row["outcome"]) if row["outcome"] else None,
        "progress": RaceProgress.model_validate(row["progress"]),
    }
    return Race(**fields)


async def claim(tx: Transaction, owner: str, *, now: datetime, until: datetime, room: int) -> list[Claimed]:
    """Take races that wait, or whose conductor was lost; the oldest first."""
    rows = await tx.fetch(_CLAIM, owner, now, until, room)
    return [Claimed(SchoolId(row["school_id"]), JobId(row["job_id"]), row["starts"]) for row in rows]


async def renew(tx: Transaction, owner: str, jobs: Sequence[JobId], until: datetime) -> frozenset[JobId]:
    """Hold on to races; return those that still are the owner's."""
    return frozenset(JobId(row["job_id"]) for row in await tx.fetch(_RENEW, owner, list(jobs), until))


async def release(tx: Transaction, owner: str) -> int:
    """Give back what an owner holds, for others to begin anew."""
    return await tx.execute(
        "UPDATE timetable_races SET state = 'queued', lease_owner = NULL, lease_until = NULL, starts = starts - 1"
        " WHERE state = 'running' AND lease_owner = $1",
        owner,
    )


async def open_races(tx: Transaction) -> int:
    """Return how many races of the school in scope wait or run."""
    count: int = await tx.fetchval("SELECT count(*) FROM timetable_races WHERE state <> 'ended'")
    return count


async def cancelled(tx: Transaction, jobs: Sequence[JobId]) -> frozenset[JobId]:
    """Return which of these jobs of any school are to stop, or were ended from outside."""
    rows = await tx.fetch(
        "SELECT id FROM jobs WHERE id = ANY ($1::uuid[]) AND (cancel_requested OR state NOT IN ('queued', 'running'))",
        list(jobs),
    )
    return frozenset(JobId(row["id"]) for row in rows)


async def note_progress(tx: Transaction, job: JobId, progress: RaceProgress) -> None:
    """Write down how a race stands."""
    await tx.execute(
        "UPDATE timetable_races SET progress = $2 WHERE job_id = $1",
        job,
        progress.model_dump(mode="json", by_alias=True),
    )


async def end(tx: Transaction, job: JobId, owner: str, outcome: RaceEnd) -> bool:
    """End a race; False where it is no longer the owner's to end."""
    return bool(
        await tx.execute(
            "UPDATE timetable_races SET state = 'ended', outcome = $3, lease_owner = NULL, lease_until = NULL"
            " WHERE job_id = $1 AND lease_owner = $2 AND state = 'running'",
            job,
            owner,
            outcome.value,
        )
    )
