"""The SQL of batches of report cards and of what came of each card."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.ids import JobId, ReportChunkId, SchoolId, StudentId
from core.ports import Database, Row, Transaction
from core.reports.batch_records import Batch, Claimed, Counts, Item, ItemState, Naming, NewItem

_BATCH = "job_id, session_id, term_id, naming, force, retry_of, traceparent, created_by"
_ITEM = (
    "student_id, position, class_arm_id, snapshot_id, serial, state, reason, object_key, bytes, sha256, pages,"
    " updated_at"
)
_ADD_ITEMS = """
INSERT INTO report_batch_items (school_id, job_id, updated_at, position, student_id, class_arm_id, chunk_id, state,
                                snapshot_id, serial, object_key, bytes, sha256, pages)
SELECT app_school(), $1, $2, new.* FROM unnest(
    $3::int[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::int[],
    $12::text[], $13::int[]
) AS new
"""
_COUNTS = """
SELECT count(*)::int AS total, count(*) FILTER (WHERE state = 'done')::int AS done,
       count(*) FILTER (WHERE state = 'failed')::int AS failed,
       count(*) FILTER (WHERE state = 'withheld')::int AS withheld,
       count(*) FILTER (WHERE state = 'cancelled')::int AS cancelled
FROM report_batch_items WHERE job_id = $1
"""
# Whose row another holds is being heard of just then; waiting for it could be a circle.
_KEEP_ALIVE = """
UPDATE jobs SET heartbeat_at = $1
WHERE (school_id, id) IN (
    SELECT job.school_id, job.id FROM report_batches batch
    JOIN jobs job ON (job.school_id, job.id) = (batch.school_id, batch.job_id)
    WHERE batch.state <> 'ended' AND job.state = 'running' FOR UPDATE OF job SKIP LOCKED
)
"""
_STOP = """
WITH stopped AS (
    UPDATE report_chunks SET state = 'ended' WHERE job_id = $1 AND state = 'queued' RETURNING school_id, id
)
UPDATE report_batch_items item SET state = 'cancelled', reason = $2, updated_at = $3
FROM stopped
WHERE (item.school_id, item.chunk_id) = (stopped.school_id, stopped.id) AND item.state IN ('queued', 'printing')
"""
_CLAIM_PACKING = """
UPDATE report_batches batch SET lease_owner = $1, lease_until = $3, starts = batch.starts + 1
FROM (
    SELECT school_id, job_id FROM report_batches
    WHERE state = 'packing' AND (lease_until IS NULL OR lease_until < $2) AND (not_before IS NULL OR not_before <= $2)
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
) due
WHERE (batch.school_id, batch.job_id) = (due.school_id, due.job_id)
RETURNING batch.school_id, batch.job_id, batch.starts
"""


async def add(tx: Transaction, batch: Batch, now: datetime) -> None:
    """Add a batch; its job is there already."""
    await tx.execute(
        f"INSERT INTO report_batches (school_id, created_at, {_BATCH})"
        " VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7, $8, $9)",
        now,
        batch.job_id,
        batch.session_id,
        batch.term_id,
        batch.naming.value,
        batch.force,
        batch.retry_of,
        batch.traceparent,
        batch.created_by,
    )


async def add_items(
    tx: Transaction, job: JobId, items: Sequence[NewItem], chunk_of: Mapping[StudentId, ReportChunkId], now: datetime
) -> None:
    """Add the cards of a batch in one statement; those that were printed before are done."""
    kept = [item.kept for item in items]
    await tx.execute(
        _ADD_ITEMS,
        job,
        now,
        list(range(len(items))),
        [item.student_id for item in items],
        [item.class_arm_id for item in items],
        [chunk_of.get(item.student_id) for item in items],
        [ItemState.DONE.value if item.kept else ItemState.QUEUED.value for item in items],
        [was.snapshot_id if was else None for was in kept],
        [was.serial if was else None for was in kept],
        [was.object_key if was else None for was in kept],
        [was.bytes if was else None for was in kept],
        [was.sha256 if was else None for was in kept],
        [was.pages if was else None for was in kept],
    )


async def read(tx: Transaction, job: JobId, *, lock: bool = False) -> Batch | None:
    """Return a batch of the school in scope, or None."""
    row = await tx.fetchrow(
        f"SELECT {_BATCH} FROM report_batches WHERE job_id = $1 {'FOR UPDATE' if lock else ''}", job
    )
    return Batch(**{**row, "naming": Naming(row["naming"])}) if row else None


async def items(
    tx: Transaction,
    job: JobId,
    *,
    state: ItemState | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[Item]:
    """Return the cards of a batch in their order."""
    rows = await tx.fetch(
        f"SELECT {_ITEM} FROM report_batch_items WHERE job_id = $1 AND ($2::text IS NULL OR state = $2)"
        " AND ($3::int IS NULL OR position > $3) ORDER BY position LIMIT $4",
        job,
        state.value if state else None,
        after,
        limit,
    )
    return [_item(row) for row in rows]


async def counts(tx: Transaction, job: JobId) -> Counts:
    """Count what came of a batch's cards."""
    row = await tx.fetchrow(_COUNTS, job)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Counts(**dict(row))


async def stop(tx: Transaction, job: JobId, reason: str, now: datetime) -> None:
    """Take from the queue what of a batch nobody is working on."""
    await tx.execute(_STOP, job, reason, now)


async def pack_if_printed(tx: Transaction, job: JobId) -> bool:
    """Pass a batch on to be packed where its last chunk has ended; the batch is locked by the caller."""
    touched = await tx.execute(
        "UPDATE report_batches SET state = 'packing' WHERE job_id = $1 AND state = 'printing'"
        " AND NOT EXISTS (SELECT FROM report_chunks WHERE job_id = $1 AND state <> 'ended')",
        job,
    )
    return touched > 0


async def claim_packing(tx: Transaction, owner: str, *, now: datetime, until: datetime) -> Claimed | None:
    """Take the batch of any school that waits longest to be packed."""
    row = await tx.fetchrow(_CLAIM_PACKING, owner, now, until)
    return Claimed(SchoolId(row["school_id"]), JobId(row["job_id"]), None, row["starts"]) if row else None


async def renew_packing(tx: Transaction, owner: str, job: JobId, until: datetime) -> bool:
    """Hold on to a batch; False where it is not the owner's any more."""
    touched = await tx.execute(
        "UPDATE report_batches SET lease_until = $3 WHERE job_id = $2 AND lease_owner = $1 AND state = 'packing'",
        owner,
        job,
        until,
    )
    return touched > 0


async def put_off_packing(tx: Transaction, owner: str, job: JobId, not_before: datetime) -> int | None:
    """Give a batch back because the store is away; return how often in a row that was, None where it is another's."""
    waits: int | None = await tx.fetchval(
        "UPDATE report_batches SET lease_owner = NULL, lease_until = NULL, not_before = $3, waits = waits + 1,"
        " starts = starts - 1 WHERE job_id = $2 AND lease_owner = $1 AND state = 'packing' RETURNING waits",
        owner,
        job,
        not_before,
    )
    return waits


async def waits_of(tx: Transaction, job: JobId) -> int:
    """Return how often in a row the packing of a batch was put off."""
    waits: int = await tx.fetchval("SELECT waits FROM report_batches WHERE job_id = $1", job)
    return waits


async def end_packing(tx: Transaction, owner: str, job: JobId) -> bool:
    """End a batch; False where it is not the owner's any more."""
    touched = await tx.execute(
        "UPDATE report_batches SET state = 'ended', lease_owner = NULL, lease_until = NULL"
        " WHERE job_id = $2 AND lease_owner = $1 AND state = 'packing'",
        owner,
        job,
    )
    return touched > 0


async def keep_alive(tx: Transaction, now: datetime) -> int:
    """Note of all running jobs with an open batch that there are workers for them."""
    return await tx.execute(_KEEP_ALIVE, now)


async def open_batches(tx: Transaction) -> int:
    """Return how many batches of the school in scope wait or are worked on."""
    found: int = await tx.fetchval("SELECT count(*) FROM report_batches WHERE state <> 'ended'")
    return found


async def waiting_work(db: Database) -> int:
    """Return how many chunks and batches of all schools wait or are worked on."""
    async with db.dispatch() as tx:
        found: int = await tx.fetchval(
            "SELECT (SELECT count(*) FROM report_chunks WHERE state <> 'ended')"
            " + (SELECT count(*) FROM report_batches WHERE state = 'packing')"
        )
    return found


def _item(row: Row) -> Item:
    return Item(**{**row, "state": ItemState(row["state"])})
