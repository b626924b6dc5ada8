"""The SQL of documents that somebody waits for."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.ids import PrintId, SchoolId
from core.ports import Transaction

_ADD = """
INSERT INTO report_prints (school_id, id, html, landscape, tagged, traceparent, created_at, expires_at)
SELECT app_school(), $1, $2, $3, $4, $5, $6, $7
WHERE (SELECT count(*) FROM report_prints WHERE state IN ('queued', 'running')) < $8
"""
_CLAIM = """
UPDATE report_prints print SET state = 'running', lease_owner = $1, lease_until = $3, starts = print.starts + 1
FROM (
    SELECT school_id, id FROM report_prints
    WHERE state IN ('queued', 'running') AND expires_at > $2 AND (state = 'queued' OR lease_until < $2)
    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
) due
WHERE (print.school_id, print.id) = (due.school_id, due.id)
RETURNING print.school_id, print.id, print.starts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrint:
    """A document to be printed."""

    html: str
    landscape: bool
    tagged: bool
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class ClaimedPrint:
    """A document that a worker has taken."""

    school: SchoolId
    id: PrintId
    starts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a document: its PDF, or why there is none."""

    pdf: bytes | None
    reason: str


async def add(tx: Transaction, new_id: PrintId, new: NewPrint, *, now: datetime, until: datetime, most: int) -> bool:
    """Queue a document of the school in scope; False where too many of its wait already."""
    touched = await tx.execute(_ADD, new_id, new.html, new.landscape, new.tagged, new.traceparent, now, until, most)
    return touched > 0


async def take_outcome(tx: Transaction, wanted: PrintId) -> Outcome | None:
    """Remove a document that is over and return what came of it; None while it waits or is being printed."""
    row = await tx.fetchrow(
        "DELETE FROM report_prints WHERE id = $1 AND state IN ('done', 'failed') RETURNING result, reason", wanted
    )
    if row is not None:
        return Outcome(row["result"], row["reason"])
    there = await tx.fetchval("SELECT EXISTS (SELECT FROM report_prints WHERE id = $1)", wanted)
    return None if there else Outcome(None, "the document is gone")


async def remove(tx: Transaction, wanted: PrintId) -> None:
    """Remove a document that nobody waits for any more."""
    await tx.execute("DELETE FROM report_prints WHERE id = $1", wanted)


async def claim(tx: Transaction, owner: str, *, now: datetime, until: datetime) -> ClaimedPrint | None:
    """Take the document of any school that waits longest, or whose worker was lost."""
    row = await tx.fetchrow(_CLAIM, owner, now, until)
    return ClaimedPrint(SchoolId(row["school_id"]), PrintId(row["id"]), row["starts"]) if row else None


async def read(tx: Transaction, wanted: PrintId) -> NewPrint | None:
    """Return a document that is to be printed; None where nobody waits for it any more."""
    row = await tx.fetchrow("SELECT html, landscape, tagged, traceparent FROM report_prints WHERE id = $1", wanted)
    return NewPrint(**dict(row)) if row else None


async def renew(tx: Transaction, owner: str, wanted: UUID, until: datetime) -> bool:
    """Hold on to a document; False where it is not the owner's any more."""
    touched = await tx.execute(
        "UPDATE report_prints SET lease_until = $3 WHERE id = $2 AND lease_owner = $1 AND state = 'running'",
        owner,
        wanted,
        until,
    )
    return touched > 0


async def end(tx: Transaction, owner: str, wanted: PrintId, *, pdf: bytes | None, reason: str) -> bool:
    """Write down what came of a document; False where it is not the owner's any more."""
    touched = await tx.execute(
        "UPDATE report_prints SET state = $3, result = $4, reason = $5, lease_owner = NULL, lease_until = NULL"
        " WHERE id = $2 AND lease_owner = $1 AND state = 'running'",
        owner,
        wanted,
        "failed" if pdf is None else "done",
        pdf,
        reason[:500],
    )
    return touched > 0


async def give_back(tx: Transaction, owner: str, wanted: PrintId) -> None:
    """Let another try a document at once."""
    await tx.execute(
        "UPDATE report_prints SET state = 'queued', lease_owner = NULL, lease_until = NULL"
        " WHERE id = $2 AND lease_owner = $1 AND state = 'running'",
        owner,
        wanted,
    )


async def sweep(tx: Transaction, now: datetime) -> int:
    """Remove the documents of all schools that nobody has come for."""
    return await tx.execute("DELETE FROM report_prints WHERE expires_at < $1", now)
