"""The SQL of finalised cards: rows are added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.ids import (
    ClassArmId,
    PolicyId,
    ReportSnapshotId,
    SchoolId,
    StudentId,
    TermId,
    UserId,
    new_id,
)
from core.ports import Database, Row, Transaction

_COLUMNS = (
    "id, term_id, student_id, class_arm_id, version, serial, content_hash, grading_policy_id, report_policy_id,"
    " taken_by, taken_at"
)

_NEWEST = f"""
SELECT DISTINCT ON (student_id) {_COLUMNS} FROM report_snapshots
WHERE term_id = $1 AND student_id = ANY ($2::uuid[])
ORDER BY student_id, version DESC
"""

_ADD = f"""
INSERT INTO report_snapshots (school_id, term_id, taken_by, taken_at, id, student_id, class_arm_id, version, serial,
                              content, content_hash, grading_policy_id, report_policy_id)
SELECT $1, $2, app_actor(), $3, new.* FROM unnest(
    $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::text[], $9::text[], $10::text[], $11::uuid[], $12::uuid[]
) AS new
RETURNING {_COLUMNS}
"""

_LOAD = """
SELECT s.id, s.serial, s.content, s.content_hash, (s.taken_at AT TIME ZONE school.time_zone)::date AS finalised_on
FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place)
JOIN report_snapshots s ON s.id = wanted.id
JOIN schools school ON school.id = s.school_id
ORDER BY wanted.place
"""

_VERIFIED = """
SELECT s.serial, s.content, s.content_hash, s.version, school.name AS school_name,
       (s.taken_at AT TIME ZONE school.time_zone)::date AS finalised_on,
       (SELECT max(n.version) FROM report_snapshots n
        WHERE (n.school_id, n.term_id, n.student_id) = (s.school_id, s.term_id, s.student_id)) AS newest
FROM report_snapshots s JOIN schools school ON school.id = s.school_id
WHERE s.serial = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A finalised card without its content."""

    id: ReportSnapshotId
    term_id: TermId
    student_id: StudentId
    class_arm_id: ClassArmId
    version: int
    """Counts a student's finalised cards of one term."""
    serial: str
    content_hash: str
    grading_policy_id: PolicyId | None
    report_policy_id: PolicyId | None
    taken_by: UserId | None
    taken_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot:
    """A card to be kept."""

    student_id: StudentId
    class_arm_id: ClassArmId
    version: int
    serial: str
    content: str
    content_hash: str
    grading_policy_id: PolicyId | None
    report_policy_id: PolicyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCard:
    """A finalised card's content, as it was hashed."""

    id: ReportSnapshotId
    serial: str
    content: str
    content_hash: str
    finalised_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRow:
    """A finalised card as the verify page finds it."""

    serial: str
    content: str
    content_hash: str
    version: int
    newest: int
    school_name: str
    finalised_on: date


async def hold_term(tx: Transaction, term_id: TermId) -> None:
    """Let nobody else finalise cards of a term until this transaction ends."""
    await tx.fetchval("SELECT id FROM terms WHERE id = $1 FOR NO KEY UPDATE", term_id)


async def newest(tx: Transaction, term_id: TermId, students: Sequence[StudentId]) -> dict[StudentId, Snapshot]:
    """Return each student's newest finalised card of a term."""
    rows = await tx.fetch(_NEWEST, term_id, list(students))
    return {StudentId(row["student_id"]): _snapshot(row) for row in rows}


async def add(
    tx: Transaction, school_id: SchoolId, term_id: TermId, new: Sequence[NewSnapshot], at: datetime
) -> list[Snapshot]:
    """Keep cards, in one statement."""
    if not new:
        return []
    rows = await tx.fetch(
        _ADD,
        school_id,
        term_id,
        at,
        [new_id() for _ in new],
        [each.student_id for each in new],
        [each.class_arm_id for each in new],
        [each.version for each in new],
        [each.serial for each in new],
        [each.content for each in new],
        [each.content_hash for each in new],
        [each.grading_policy_id for each in new],
        [each.report_policy_id for each in new],
    )
    return [_snapshot(row) for row in rows]


async def contents(tx: Transaction, ids: Sequence[ReportSnapshotId]) -> list[KeptCard]:
    """Return finalised cards in the order of their ids; one that is not there is left out."""
    return [KeptCard(**dict(row)) for row in await tx.fetch(_LOAD, list(ids))]


async def versions(
    tx: Transaction, term_id: TermId, student_id: StudentId, *, before: int | None, limit: int
) -> list[Snapshot]:
    """Return a student's finalised cards of a term, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM report_snapshots WHERE term_id = $1 AND student_id = $2"
        " AND ($3::int IS NULL OR version < $3) ORDER BY version DESC LIMIT $4",
        term_id,
        student_id,
        before,
        limit,
    )
    return [_snapshot(row) for row in rows]


async def school_of_serial(db: Database, serial: str) -> SchoolId | None:
    """Return whose card a serial is; the one question that is asked of all schools."""
    async with db.directory() as tx:
        found = await tx.fetchval("SELECT school_id FROM report_snapshots WHERE serial = $1", serial)
    return SchoolId(found) if found else None


async def verified(tx: Transaction, serial: str) -> VerifiedRow | None:
    """Return the card of a serial."""
    row = await tx.fetchrow(_VERIFIED, serial)
    return VerifiedRow(**dict(row)) if row else None


def _snapshot(row: Row) -> Snapshot:
    return Snapshot(**dict(row))
