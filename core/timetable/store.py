"""SQL of timetables, their versions and the problems these solve."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.ids import SessionId, TimetableId, UserId
from core.ports import Row, Transaction
from core.timetable.records import NewVersion, TimetableRecord, VersionRecord

_TIMETABLE = (
    "t.id, t.name, t.session_id, t.latest_version, t.published_version, t.published_at, t.created_by, t.created_at"
)
_VERSION = (
    "v.number, v.problem_digest, v.hard, v.soft, v.bound, v.solver, v.note, v.based_on, v.created_by, v.created_at"
)

_ADD_VERSION = """
INSERT INTO timetable_versions (school_id, timetable_id, number, problem_digest, placements, hard, soft, bound, solver,
                                note, based_on, created_by, created_at)
VALUES (app_school(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING number, problem_digest, hard, soft, bound, solver, note, based_on, created_by, created_at
"""
_NAMES = """
SELECT id::text, concat_ws(' ', nullif(title, ''), given_names, family_name) AS name, 'teacher' AS kind
FROM staff WHERE id = ANY ($1::uuid[])
UNION ALL SELECT id::text, name, 'subject' FROM subjects WHERE id = ANY ($1::uuid[])
UNION ALL SELECT a.id::text, l.name || ' ' || a.name, 'class'
FROM class_arms a JOIN levels l ON (l.school_id, l.id) = (a.school_id, a.level_id) WHERE a.id = ANY ($1::uuid[])
"""
_OWN_ARMS = """
SELECT DISTINCT e.class_arm_id::text AS id FROM enrolments e
WHERE e.session_id = $1 AND (e.student_id = $2 OR e.student_id IN (
    SELECT g.student_id FROM guardianships g WHERE g.guardian_id = $3))
"""


async def keep_problem(tx: Transaction, content: str) -> str:
    """Write a problem down where it is not, and return its digest."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    await tx.execute(
        "INSERT INTO timetable_problems (school_id, digest, content) VALUES (app_school(), $1, $2)"
        " ON CONFLICT DO NOTHING",
        digest,
        content,
    )
    return digest


async def problem(tx: Transaction, digest: str) -> str:
    """Return a problem's JSON."""
    content: str = await tx.fetchval("SELECT content FROM timetable_problems WHERE digest = $1", digest)
    return content


async def read(tx: Transaction, timetable: TimetableId, *, lock: bool = False) -> TimetableRecord | None:
    """Return a timetable of the school in scope, or None; ``lock`` keeps others from changing it meanwhile."""
    row = await tx.fetchrow(
        f"SELECT {_TIMETABLE} FROM timetables t WHERE t.id = $1" + (" FOR UPDATE" if lock else ""), timetable
    )
    return _timetable(row) if row else None


async def page(
    tx: Transaction,
    *,
    session: SessionId | None,
    published: bool,
    after: tuple[datetime, TimetableId] | None,
    limit: int,
) -> Sequence[TimetableRecord]:
    """Return timetables, the newest first; of one session, or published only, where asked."""
    at, last = after or (None, None)
    rows = await tx.fetch(
        f"SELECT {_TIMETABLE} FROM timetables t WHERE ($1::uuid IS NULL OR t.session_id = $1)"
        " AND (NOT $2 OR t.published_version IS NOT NULL)"
        " AND ($3::timestamptz IS NULL OR (t.created_at, t.id) < ($3, $4::uuid))"
        " ORDER BY t.created_at DESC, t.id DESC LIMIT $5",
        session,
        published,
        at,
        last,
        limit,
    )
    return [_timetable(row) for row in rows]


async def add(
    tx: Transaction,
    timetable: TimetableId,
    name: str,
    session: SessionId | None,
    *,
    created_by: UserId | None,
    now: datetime,
) -> None:
    """Add a timetable whose first version follows in the same transaction."""
    await tx.execute(
        "INSERT INTO timetables (school_id, id, name, session_id, latest_version, created_by, created_at)"
        " VALUES (app_school(), $1, $2, $3, 0, $4, $5)",
        timetable,
        name,
        session,
        created_by,
        now,
    )


async def add_version(
    tx: Transaction,
    timetable: TimetableId,
    new: NewVersion,
    placements: str,
    *,
    created_by: UserId | None,
    now: datetime,
) -> VersionRecord:
    """Add the next version of a timetable and return it."""
    number: int = await tx.fetchval(
        "UPDATE timetables SET latest_version = latest_version + 1 WHERE id = $1 RETURNING latest_version", timetable
    )
    about = (new.problem_digest, placements, new.hard, new.soft, new.bound, new.solver, new.note, new.based_on)
    row = await tx.fetchrow(_ADD_VERSION, timetable, number, *about, created_by, now)
    assert row is not None  # noqa: S101 - an INSERT without ON CONFLICT returns its row or raises
    return VersionRecord(**row)


async def version(tx: Transaction, timetable: TimetableId, number: int) -> tuple[VersionRecord, str, str] | None:
    """Return a version with the JSON of its problem and of its placements, or None."""
    row = await tx.fetchrow(
        f"SELECT {_VERSION}, placements, content FROM timetable_versions v JOIN timetable_problems p"
        " ON (p.school_id, p.digest) = (v.school_id, v.problem_digest) WHERE v.timetable_id = $1 AND v.number = $2",
        timetable,
        number,
    ) if number < 2**31 else None  # fmt: skip
    if row is None:
        return None
    fields = dict(row)
    placements, content = fields.pop("placements"), fields.pop("content")
    return VersionRecord(**fields), content, placements


async def versions(
    tx: Transaction, timetable: TimetableId, *, below: int | None, limit: int
) -> Sequence[VersionRecord]:
    """Return versions, the newest first."""
    rows = await tx.fetch(
        f"SELECT {_VERSION} FROM timetable_versions v WHERE timetable_id = $1 AND ($2::integer IS NULL OR number < $2)"
        " ORDER BY number DESC LIMIT $3",
        timetable,
        below,
        limit,
    )
    return [VersionRecord(**row) for row in rows]


async def publish(
    tx: Transaction, timetable: TimetableId, number: int | None, *, by: UserId | None, now: datetime
) -> TimetableRecord:
    """Make one version the published one of its session; with None there is none any more."""
    await tx.execute(
        "UPDATE timetables SET published_version = NULL, published_at = NULL, published_by = NULL"
        " WHERE published_version IS NOT NULL AND id <> $1"
        " AND session_id = (SELECT session_id FROM timetables WHERE id = $1)",
        timetable,
    )
    row = await tx.fetchrow(
        "UPDATE timetables t SET published_version = $2, published_at = $3, published_by = $4 WHERE t.id = $1"
        f" RETURNING {_TIMETABLE}",
        timetable,
        number,
        now if number is not None else None,
        by if number is not None else None,
    )
    assert row is not None  # noqa: S101 - the caller has locked it
    return _timetable(row)


async def names(tx: Transaction, ids: Sequence[Any]) -> dict[str, tuple[str, str]]:
    """Return (kind, name) of those of these ids that are the school's teachers, subjects and classes."""
    return {row["id"]: (row["kind"], row["name"]) for row in await tx.fetch(_NAMES, list(ids))}


async def session_on(tx: Transaction, day: Any) -> SessionId | None:
    """Return the session in which a day lies, else the next one."""
    found = await tx.fetchval("SELECT id FROM academic_sessions WHERE ends_on >= $1 ORDER BY starts_on LIMIT 1", day)
    return SessionId(found) if found else None


async def session_name(tx: Transaction, session: SessionId) -> str | None:
    """Return a session's name, or None."""
    found: str | None = await tx.fetchval("SELECT name FROM academic_sessions WHERE id = $1", session)
    return found


async def school_name(tx: Transaction) -> str:
    """Return what the school is called."""
    return str(await tx.fetchval("SELECT name FROM schools WHERE id = app_school()"))


async def own_arms(tx: Transaction, session: SessionId, student: Any, guardian: Any) -> frozenset[str]:
    """Return the arms in which a student, or a guardian's children, are in a session."""
    return frozenset(row["id"] for row in await tx.fetch(_OWN_ARMS, session, student, guardian))


def _timetable(row: Row) -> TimetableRecord:
    return TimetableRecord(**row)
