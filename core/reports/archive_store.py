"""The SQL of archives: what lies in a batch, where its cards are, and how long they are there."""

from dataclasses import dataclass
from datetime import datetime

from core.ids import ClassArmId, JobId, ReportSnapshotId, SessionId, StudentId, TermId
from core.ports import Row, Transaction

_BATCH = """
SELECT b.term_id, t.name AS term_name, b.session_id, s.name AS session_name, school.name AS school_name,
       school.time_zone, b.naming, b.state, b.archive_key, b.archive_bytes, b.archive_sha256, b.expires_at
FROM report_batches b
JOIN terms t ON (t.school_id, t.id) = (b.school_id, b.term_id)
JOIN academic_sessions s ON (s.school_id, s.id) = (b.school_id, b.session_id)
JOIN schools school ON school.id = b.school_id
WHERE b.job_id = $1
"""

_ITEMS = """
SELECT i.student_id, i.class_arm_id, level.name || ' ' || arm.name AS class_name, st.student_no, st.family_name,
       st.given_names, i.state, i.reason, i.snapshot_id, i.serial, i.object_key, i.bytes, i.sha256, i.pages
FROM report_batch_items i
JOIN students st ON (st.school_id, st.id) = (i.school_id, i.student_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (i.school_id, i.class_arm_id)
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
WHERE i.job_id = $1 AND ($2::uuid IS NULL OR i.class_arm_id = $2) AND ($3::uuid IS NULL OR i.student_id = $3)
ORDER BY i.position, i.student_id
"""

_KEEP = """
UPDATE report_batches
SET archive_key = $2, archive_bytes = $3, archive_sha256 = $4, packed_at = $5, expires_at = $6
WHERE job_id = $1
"""

_LOSE = """
UPDATE report_batch_items SET state = 'failed', reason = $3, updated_at = $4
WHERE job_id = $1 AND student_id = ANY ($2::uuid[]) AND state = 'done'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHead:
    """What is known of a batch as a whole."""

    term_id: TermId
    term_name: str
    session_id: SessionId
    session_name: str
    school_name: str
    time_zone: str
    naming: str
    """How files are named in the archive: by student ``id``, or by ``name``."""
    state: str
    archive_key: str | None
    archive_bytes: int | None
    archive_sha256: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedItem:
    """One student's card in a batch, printed or not."""

    student_id: StudentId
    class_arm_id: ClassArmId
    class_name: str
    student_no: str
    family_name: str
    given_names: str
    state: str
    reason: str
    snapshot_id: ReportSnapshotId | None
    serial: str | None
    object_key: str | None
    bytes: int | None
    sha256: str | None
    pages: int | None

    @property
    def is_done(self) -> bool:
        """Tell whether the card was printed."""
        return self.state == "done"


async def head_of(tx: Transaction, job_id: JobId) -> BatchHead | None:
    """Return a batch, or None."""
    row = await tx.fetchrow(_BATCH, job_id)
    return BatchHead(**dict(row)) if row else None


async def items_of(tx: Transaction, job_id: JobId, class_arm_id: ClassArmId | None = None) -> list[PackedItem]:
    """Return a batch's cards, or those of one class, in the order they were asked for."""
    return [_item(row) for row in await tx.fetch(_ITEMS, job_id, class_arm_id, None)]


async def item_of(tx: Transaction, job_id: JobId, student_id: StudentId) -> PackedItem | None:
    """Return one student's card of a batch, or None."""
    row = await tx.fetchrow(_ITEMS, job_id, None, student_id)
    return _item(row) if row else None


async def keep(
    tx: Transaction, job_id: JobId, *, key: str, size_bytes: int, sha256: str, at: datetime, expires_at: datetime
) -> None:
    """Note where a batch's archive is."""
    await tx.execute(_KEEP, job_id, key, size_bytes, sha256, at, expires_at)


async def lose(tx: Transaction, job_id: JobId, students: list[StudentId], reason: str, at: datetime) -> None:
    """Note that printed cards are not there any more."""
    await tx.execute(_LOSE, job_id, students, reason, at)


def _item(row: Row) -> PackedItem:
    return PackedItem(**dict(row))
