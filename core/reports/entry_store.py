"""The SQL of what is entered for cards beside marks: ratings, remarks and their bank; and attendance as counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.ids import BankedCommentId, ClassArmId, SchoolId, StudentId, SubjectId, TermId, UserId, new_id
from core.ports import Row, Transaction
from core.reports.assembling import Entries
from core.reports.card import CardAttendance
from core.reports.comments import RemarkKind

_REGISTERS = """
SELECT register.id
FROM terms t
JOIN attendance_registers register ON register.school_id = t.school_id AND register.class_arm_id = ANY ($2::uuid[])
     AND register.day BETWEEN t.starts_on AND t.ends_on
WHERE t.id = $1
"""

_ATTENDANCE = """
SELECT student_id, count(*)::int AS total, (count(*) FILTER (WHERE status IN ('present', 'late')))::int AS present
FROM attendance WHERE register_id = ANY ($1::uuid[])
GROUP BY student_id
"""

_RATINGS = """
SELECT student_id, scores, version, updated_by, updated_at FROM report_ratings
WHERE term_id = $1 AND student_id = ANY ($2::uuid[])
"""

# The version that the caller saw, 0 for none, has to be the one that stands there; null where it does not matter.
_RATE = """
INSERT INTO report_ratings AS kept (school_id, term_id, student_id, scores, updated_by, updated_at)
SELECT $1, $2, given.student_id, given.scores, app_actor(), $6
FROM unnest($3::uuid[], $4::jsonb[], $5::int[]) AS given (student_id, scores, seen)
WHERE coalesce(given.seen, 0) = 0
   OR EXISTS (SELECT FROM report_ratings r WHERE r.term_id = $2 AND r.student_id = given.student_id)
ON CONFLICT (school_id, term_id, student_id) DO UPDATE
SET scores = excluded.scores, version = kept.version + 1, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
WHERE (SELECT given.seen IS NULL OR given.seen = kept.version
       FROM unnest($3::uuid[], $5::int[]) AS given (student_id, seen) WHERE given.student_id = kept.student_id)
RETURNING student_id, scores, version, updated_by, updated_at
"""

_REMARKS = """
SELECT student_id, kind, subject_id, text, version, updated_by, updated_at FROM report_comments
WHERE term_id = $1 AND student_id = ANY ($2::uuid[])
"""

_REMARK = """
INSERT INTO report_comments AS kept (school_id, term_id, student_id, kind, subject_id, text, updated_by, updated_at)
SELECT $1, $2, given.student_id, $3, $4::uuid, given.text, app_actor(), $8
FROM unnest($5::uuid[], $6::text[], $7::int[]) AS given (student_id, text, seen)
WHERE coalesce(given.seen, 0) = 0
   OR EXISTS (SELECT FROM report_comments r WHERE r.term_id = $2 AND r.student_id = given.student_id AND r.kind = $3
                                              AND r.subject_id IS NOT DISTINCT FROM $4::uuid)
ON CONFLICT (school_id, term_id, student_id, kind, subject_id) DO UPDATE
SET text = excluded.text, version = kept.version + 1, updated_by = excluded.updated_by, updated_at = excluded.updated_at
WHERE (SELECT given.seen IS NULL OR given.seen = kept.version
       FROM unnest($5::uuid[], $7::int[]) AS given (student_id, seen) WHERE given.student_id = kept.student_id)
RETURNING student_id, kind, subject_id, text, version, updated_by, updated_at
"""

_BANK = "id, kind, from_score, to_score, text, version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """One student's ratings of a term."""

    student_id: StudentId
    scores: Mapping[str, int]
    version: int
    """0 where nothing is rated yet."""
    updated_by: UserId | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One remark about a student."""

    student_id: StudentId
    kind: RemarkKind
    subject_id: SubjectId | None
    text: str
    version: int
    updated_by: UserId | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BankedComment:
    """A remark to choose from."""

    id: BankedCommentId
    kind: RemarkKind
    from_score: int
    to_score: int
    """It suits averages from and to these, both included."""
    text: str
    version: int


async def entries_of(
    tx: Transaction, term_id: TermId, students: Sequence[StudentId], arms: Sequence[ClassArmId]
) -> dict[StudentId, Entries]:
    """Return what is written of each student of a term beside marks; one of whom nothing is written is not there."""
    attendance = await attendance_in(tx, term_id, arms)
    rated = {each.student_id: each.scores for each in await ratings_of(tx, term_id, students)}
    remarks: dict[StudentId, list[Remark]] = {}
    for remark in await remarks_of(tx, term_id, students):
        remarks.setdefault(remark.student_id, []).append(remark)
    known = {*students} & {*attendance, *rated, *remarks}
    return {who: _entries(attendance.get(who), rated.get(who, {}), remarks.get(who, [])) for who in known}


async def attendance_in(
    tx: Transaction, term_id: TermId, arms: Sequence[ClassArmId]
) -> dict[StudentId, CardAttendance]:
    """Return how often everyone in the registers of some classes came in a term."""
    # The registers first and by themselves: joined, a planner without statistics takes a way that is too long.
    registers = [row["id"] for row in await tx.fetch(_REGISTERS, term_id, list(arms))]
    return {
        row["student_id"]: CardAttendance(days_present=row["present"], total_days=row["total"])
        for row in await tx.fetch(_ATTENDANCE, registers)
    }


def _entries(attendance: CardAttendance | None, scores: Mapping[str, int], remarks: Sequence[Remark]) -> Entries:
    by_kind = {remark.kind: remark.text for remark in remarks if remark.subject_id is None}
    return Entries(
        attendance=attendance,
        ratings=scores,
        class_teacher_remark=by_kind.get(RemarkKind.CLASS_TEACHER, ""),
        principal_remark=by_kind.get(RemarkKind.PRINCIPAL, ""),
        subject_remarks={remark.subject_id: remark.text for remark in remarks if remark.subject_id is not None},
    )


async def ratings_of(tx: Transaction, term_id: TermId, students: Sequence[StudentId]) -> list[Rated]:
    """Return the ratings of students in a term; one not rated yet is not there."""
    return [Rated(**dict(row)) for row in await tx.fetch(_RATINGS, term_id, list(students))]


async def rate(
    tx: Transaction,
    school_id: SchoolId,
    term_id: TermId,
    ratings: Sequence[tuple[StudentId, Mapping[str, int], int | None]],
    at: datetime,
) -> list[Rated]:
    """Write ratings from the versions the caller saw, and return those written: one at another version is not."""
    rows = await tx.fetch(
        _RATE,
        school_id,
        term_id,
        [student for student, _, _ in ratings],
        [dict(scores) for _, scores, _ in ratings],
        [seen for _, _, seen in ratings],
        at,
    )
    return [Rated(**dict(row)) for row in rows]


async def remarks_of(tx: Transaction, term_id: TermId, students: Sequence[StudentId]) -> list[Remark]:
    """Return every remark about students in a term."""
    return [_remark(row) for row in await tx.fetch(_REMARKS, term_id, list(students))]


async def write_remarks(
    tx: Transaction,
    school_id: SchoolId,
    term_id: TermId,
    *,
    about: tuple[RemarkKind, SubjectId | None],
    remarks: Sequence[tuple[StudentId, str, int | None]],
    at: datetime,
) -> list[Remark]:
    """Write remarks of one kind from the versions the caller saw, and return those written."""
    kind, subject_id = about
    rows = await tx.fetch(
        _REMARK,
        school_id,
        term_id,
        kind.value,
        subject_id,
        [student for student, _, _ in remarks],
        [text for _, text, _ in remarks],
        [seen for _, _, seen in remarks],
        at,
    )
    return [_remark(row) for row in rows]


async def bank(
    tx: Transaction, *, kind: RemarkKind | None, score: int | None, after: BankedCommentId | None, limit: int
) -> list[BankedComment]:
    """Return the bank's remarks, those of one kind or for one average where wanted."""
    rows = await tx.fetch(
        f"SELECT {_BANK} FROM comment_bank WHERE ($1::text IS NULL OR kind = $1)"
        " AND ($2::int IS NULL OR $2 BETWEEN from_score AND to_score) AND ($3::uuid IS NULL OR id > $3)"
        " ORDER BY id LIMIT $4",
        kind.value if kind else None,
        score,
        after,
        limit,
    )
    return [_banked(row) for row in rows]


async def banked(tx: Transaction, comment_id: BankedCommentId) -> BankedComment | None:
    """Return one remark of the bank."""
    row = await tx.fetchrow(f"SELECT {_BANK} FROM comment_bank WHERE id = $1 FOR UPDATE", comment_id)
    return _banked(row) if row else None


async def add_banked(
    tx: Transaction, school_id: SchoolId, kind: RemarkKind, scores: tuple[int, int], text: str
) -> BankedComment:
    """Add a remark to the bank."""
    row = await tx.fetchrow(
        "INSERT INTO comment_bank (school_id, id, kind, from_score, to_score, text, updated_by)"
        f" VALUES ($1, $2, $3, $4, $5, $6, app_actor()) RETURNING {_BANK}",
        school_id,
        new_id(),
        kind.value,
        *scores,
        text,
    )
    assert row is not None  # noqa: S101 - inserted
    return _banked(row)


async def change_banked(
    tx: Transaction,
    comment_id: BankedCommentId,
    *,
    kind: RemarkKind,
    scores: tuple[int, int],
    text: str,
    at: datetime,
) -> BankedComment:
    """Replace a remark of the bank that is there."""
    row = await tx.fetchrow(
        "UPDATE comment_bank SET kind = $2, from_score = $3, to_score = $4, text = $5, version = version + 1,"
        f" updated_by = app_actor(), updated_at = $6 WHERE id = $1 RETURNING {_BANK}",
        comment_id,
        kind.value,
        *scores,
        text,
        at,
    )
    assert row is not None  # noqa: S101 - the caller has it locked
    return _banked(row)


async def remove_banked(tx: Transaction, comment_id: BankedCommentId) -> int:
    """Remove a remark from the bank; remarks made from it stay."""
    return await tx.execute("DELETE FROM comment_bank WHERE id = $1", comment_id)


def _remark(row: Row) -> Remark:
    return Remark(**{**dict(row), "kind": RemarkKind(row["kind"])})


def _banked(row: Row) -> BankedComment:
    return BankedComment(**{**dict(row), "kind": RemarkKind(row["kind"])})
