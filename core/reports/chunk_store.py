"""The SQL of chunks: what one worker prints at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.ids import JobId, ReportChunkId, ReportSnapshotId, SchoolId, StudentId
from core.ports import Row, Transaction
from core.reports.batch_records import Claimed, ItemState, PrintedCard

_CLAIM = """
UPDATE report_chunks chunk SET state = 'running', lease_owner = $1, lease_until = $3, starts = chunk.starts + 1
FROM (
    SELECT school_id, id FROM report_chunks
    WHERE (state = 'queued' AND (not_before IS NULL OR not_before <= $2)) OR (state = 'running' AND lease_until < $2)
    ORDER BY turn LIMIT 1 FOR UPDATE SKIP LOCKED
) due
WHERE (chunk.school_id, chunk.id) = (due.school_id, due.id)
RETURNING chunk.school_id, chunk.job_id, chunk.id AS chunk_id, chunk.starts
"""
_ADD = """
INSERT INTO report_chunks (school_id, job_id, created_at, id, cards, turn)
SELECT app_school(), $1, $2, new.* FROM unnest($3::uuid[], $4::int[], $5::timestamptz[]) AS new
"""
_TAKE_ITEMS = """
WITH mine AS (
    UPDATE report_batch_items item SET state = 'printing', updated_at = $3
    FROM report_chunks chunk
    WHERE chunk.id = $2 AND chunk.lease_owner = $1 AND chunk.state = 'running'
      AND (item.school_id, item.chunk_id) = (chunk.school_id, chunk.id) AND item.state IN ('queued', 'printing')
    RETURNING item.student_id, item.snapshot_id, item.position
)
SELECT student_id, snapshot_id FROM mine ORDER BY position
"""
_PIN = """
UPDATE report_batch_items item SET snapshot_id = new.snapshot_id, serial = new.serial
FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS new (student_id, snapshot_id, serial)
WHERE item.chunk_id = $1 AND item.student_id = new.student_id AND item.state = 'printing'
"""
_DONE = """
UPDATE report_batch_items item
SET state = 'done', reason = '', object_key = new.object_key, bytes = new.bytes, sha256 = new.sha256,
    pages = new.pages, updated_at = $2
FROM unnest($3::uuid[], $4::text[], $5::int[], $6::text[], $7::int[])
    AS new (student_id, object_key, bytes, sha256, pages)
WHERE item.chunk_id = $1 AND item.student_id = new.student_id AND item.state = 'printing'
"""
_ENDED = """
UPDATE report_batch_items item SET state = $3, reason = new.reason, updated_at = $2
FROM unnest($4::uuid[], $5::text[]) AS new (student_id, reason)
WHERE item.chunk_id = $1 AND item.student_id = new.student_id AND item.state = 'printing'
"""


async def add(
    tx: Transaction, job: JobId, chunks: Sequence[tuple[ReportChunkId, int, datetime]], now: datetime
) -> None:
    """Queue chunks: each its id, how many cards it holds, and its turn."""
    await tx.execute(_ADD, job, now, *(list(column) for column in zip(*chunks, strict=True)))


async def move_items(tx: Transaction, chunk: ReportChunkId, to: Mapping[StudentId, ReportChunkId]) -> None:
    """Put the open cards of a chunk into others."""
    await tx.execute(
        "UPDATE report_batch_items item SET chunk_id = new.chunk_id, state = 'queued'"
        " FROM unnest($2::uuid[], $3::uuid[]) AS new (student_id, chunk_id)"
        " WHERE item.chunk_id = $1 AND item.student_id = new.student_id AND item.state = 'printing'",
        chunk,
        list(to),
        list(to.values()),
    )


async def claim(tx: Transaction, owner: str, *, now: datetime, until: datetime) -> Claimed | None:
    """Take the chunk of any school whose turn it is, or whose worker was lost."""
    row = await tx.fetchrow(_CLAIM, owner, now, until)
    if row is None:
        return None
    return Claimed(SchoolId(row["school_id"]), JobId(row["job_id"]), ReportChunkId(row["chunk_id"]), row["starts"])


async def renew(tx: Transaction, owner: str, chunk: ReportChunkId, until: datetime) -> bool:
    """Hold on to a chunk; False where it is not the owner's any more."""
    touched = await tx.execute(
        "UPDATE report_chunks SET lease_until = $3 WHERE id = $2 AND lease_owner = $1 AND state = 'running'",
        owner,
        chunk,
        until,
    )
    return touched > 0


async def lock(tx: Transaction, owner: str, chunk: ReportChunkId) -> Row | None:
    """Return a chunk's ``starts``, ``waits``, ``turn`` and ``last_error``; None where it is not the owner's."""
    return await tx.fetchrow(
        "SELECT starts, waits, turn, last_error FROM report_chunks"
        " WHERE id = $2 AND lease_owner = $1 AND state = 'running' FOR UPDATE",
        owner,
        chunk,
    )


async def take_items(
    tx: Transaction, owner: str, chunk: ReportChunkId, now: datetime
) -> list[tuple[StudentId, ReportSnapshotId | None]]:
    """Mark the open cards of a chunk as being printed, and return them in order."""
    rows = await tx.fetch(_TAKE_ITEMS, owner, chunk, now)
    return [(StudentId(row["student_id"]), row["snapshot_id"]) for row in rows]


async def pin(
    tx: Transaction, chunk: ReportChunkId, snapshots: Sequence[tuple[StudentId, ReportSnapshotId, str]]
) -> None:
    """Fix which snapshot, with which serial, is printed for each student."""
    if snapshots:
        await tx.execute(_PIN, chunk, *(list(column) for column in zip(*snapshots, strict=True)))


async def mark_done(tx: Transaction, chunk: ReportChunkId, printed: Sequence[PrintedCard], now: datetime) -> None:
    """Write down where cards lie, in one statement."""
    await tx.execute(
        _DONE,
        chunk,
        now,
        [card.student_id for card in printed],
        [card.object_key for card in printed],
        [card.bytes for card in printed],
        [card.sha256 for card in printed],
        [card.pages for card in printed],
    )


async def mark_ended(
    tx: Transaction, chunk: ReportChunkId, state: ItemState, reasons: Mapping[StudentId, str], now: datetime
) -> None:
    """Write down why there will be no card, in one statement."""
    if reasons:
        words = [reason[:500] for reason in reasons.values()]
        await tx.execute(_ENDED, chunk, now, state.value, list(reasons), words)


async def end(tx: Transaction, chunk: ReportChunkId, error: str = "") -> None:
    """End a chunk that is locked."""
    await tx.execute(
        "UPDATE report_chunks SET state = 'ended', lease_owner = NULL, lease_until = NULL, last_error = $2"
        " WHERE id = $1",
        chunk,
        error[:500],
    )


async def put_off(
    tx: Transaction, chunk: ReportChunkId, *, not_before: datetime, error: str, waits: int, starts: int
) -> None:
    """Put a chunk that is locked back into the queue, with its cards."""
    await tx.execute(
        "UPDATE report_chunks SET state = 'queued', lease_owner = NULL, lease_until = NULL, not_before = $2,"
        " last_error = $3, waits = $4, starts = $5 WHERE id = $1",
        chunk,
        not_before,
        error[:500],
        waits,
        starts,
    )
    await tx.execute("UPDATE report_batch_items SET state = 'queued' WHERE chunk_id = $1 AND state = 'printing'", chunk)


async def release(tx: Transaction, owner: str) -> int:
    """Give back what an owner holds, for others to begin anew."""
    return await tx.execute(
        "UPDATE report_chunks SET state = 'queued', lease_owner = NULL, lease_until = NULL, starts = starts - 1"
        " WHERE state = 'running' AND lease_owner = $1",
        owner,
    )
