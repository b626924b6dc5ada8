"""The SQL of attendance."""

from collections.abc import Sequence
from datetime import date, datetime

from core.ids import ClassArmId, GuardianId, RegisterId, SchoolId, SessionId, StaffId, StudentId, TermId, new_id
from core.ports import Row, Transaction
from core.school.attendance.model import (
    AttendanceStatus,
    DayCount,
    Entry,
    RegisterChange,
    RegisterHead,
    RegisterLine,
    ReportedReason,
    Summary,
)
from core.school.model import display_name

_HEAD = """
SELECT arm.id AS class_arm_id, level.name || ' ' || arm.name AS class_arm_name, arm.class_teacher_id, school.time_zone,
       term.session_id, term.id AS term_id, term.closed_at IS NOT NULL AS term_closed,
       register.id, coalesce(register.version, 0) AS version, register.marked_by, register.marked_at
FROM class_arms arm
JOIN schools school ON school.id = arm.school_id
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
LEFT JOIN terms term ON term.school_id = arm.school_id AND $2 BETWEEN term.starts_on AND term.ends_on
LEFT JOIN attendance_registers register
    ON (register.school_id, register.class_arm_id, register.day) = (arm.school_id, arm.id, $2)
WHERE arm.id = $1
ORDER BY term.starts_on DESC LIMIT 1
"""

_LINES = """
SELECT student.id, student.student_no, student.family_name, student.given_names, entry.status, entry.note,
       said.reason, said.note AS reason_note, said.given_at
FROM enrolments e
JOIN students student ON (student.school_id, student.id) = (e.school_id, e.student_id)
LEFT JOIN attendance entry
    ON (entry.school_id, entry.register_id, entry.student_id) = (e.school_id, $4::uuid, e.student_id)
LEFT JOIN LATERAL (
    SELECT reason, note, given_at FROM absence_reasons a
    WHERE (a.school_id, a.register_id, a.student_id) = (e.school_id, $4::uuid, e.student_id)
    ORDER BY a.id DESC LIMIT 1
) said ON true
WHERE e.session_id = $1 AND e.class_arm_id = $2 AND (student.left_on IS NULL OR student.left_on > $3)
ORDER BY student.family_name, student.given_names, student.student_no
"""

_OPEN = """
INSERT INTO attendance_registers (school_id, id, class_arm_id, day, version)
VALUES ($1, $2, $3, $4, 0) ON CONFLICT (school_id, class_arm_id, day) DO NOTHING
"""

_TOUCH = """
UPDATE attendance_registers SET version = version + 1, marked_by = app_actor(), marked_at = $2
WHERE id = $1 RETURNING version
"""

# What stood there before goes to the changes; a register's first saving is no change.
_SAVE = """
WITH given AS (
    SELECT * FROM unnest($3::uuid[], $4::text[], $5::text[]) AS g (student_id, status, note)
), logged AS (
    INSERT INTO attendance_changes
        (school_id, register_id, student_id, version, old_status, old_note, new_status, new_note, actor_id, at)
    SELECT $1, $2, given.student_id, $6, old.status, old.note, given.status, given.note, app_actor(), $7
    FROM given LEFT JOIN attendance old ON old.register_id = $2 AND old.student_id = given.student_id
    WHERE $6 > 1 AND (old.status, old.note) IS DISTINCT FROM (given.status, given.note)
)
INSERT INTO attendance AS kept (school_id, register_id, student_id, status, note)
SELECT $1, $2, student_id, status, note FROM given
ON CONFLICT (school_id, register_id, student_id) DO UPDATE SET status = excluded.status, note = excluded.note
WHERE (kept.status, kept.note) IS DISTINCT FROM (excluded.status, excluded.note)
"""

_COUNTS = """
SELECT arm.id AS class_arm_id, level.name || ' ' || arm.name AS class_arm_name, register.day,
       coalesce(register.version, 0) AS version, size.enrolled,
       count(entry.*) FILTER (WHERE entry.status = 'present') AS present,
       count(entry.*) FILTER (WHERE entry.status = 'absent') AS absent,
       count(entry.*) FILTER (WHERE entry.status = 'late') AS late,
       count(entry.*) FILTER (WHERE entry.status = 'excused') AS excused
FROM class_arms arm
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
{register}
CROSS JOIN LATERAL (
    SELECT count(*) AS enrolled FROM enrolments e
    JOIN terms t ON (t.school_id, t.session_id) = (e.school_id, e.session_id)
    JOIN students s ON (s.school_id, s.id) = (e.school_id, e.student_id)
    WHERE e.class_arm_id = arm.id AND {day} BETWEEN t.starts_on AND t.ends_on
      AND (s.left_on IS NULL OR s.left_on > {day})
) size
LEFT JOIN attendance entry ON (entry.school_id, entry.register_id) = (register.school_id, register.id)
WHERE {wanted}
GROUP BY arm.id, level.id, level.rank, level.name, arm.name, register.day, register.version, size.enrolled
"""

_DAY = (
    _COUNTS.format(
        register="LEFT JOIN attendance_registers register ON register.class_arm_id = arm.id AND register.day = $1",
        day="$1::date",
        wanted="size.enrolled > 0 OR register.id IS NOT NULL",
    )
    + "ORDER BY level.rank, arm.name"
)

_REGISTERS = (
    _COUNTS.format(
        register="JOIN attendance_registers register ON register.class_arm_id = arm.id",
        day="register.day",
        wanted="arm.id = $1 AND register.day >= $2 AND ($3::date IS NULL OR register.day < $3)",
    )
    + "ORDER BY register.day DESC LIMIT $4"
)

_SUMMARY = """
SELECT register.day, entry.status, entry.note
FROM terms term
JOIN attendance_registers register
    ON register.school_id = term.school_id AND register.day BETWEEN term.starts_on AND term.ends_on
JOIN attendance entry ON (entry.school_id, entry.register_id) = (register.school_id, register.id)
WHERE term.id = $1 AND entry.student_id = $2
ORDER BY register.day
"""

_STUDENT = """
SELECT s.id,
       EXISTS (SELECT FROM guardianships g WHERE g.guardian_id = $3 AND g.student_id = s.id) AS is_ward,
       EXISTS (SELECT FROM enrolments e JOIN class_arms arm ON arm.id = e.class_arm_id
               WHERE e.student_id = s.id AND e.session_id = t.session_id
                 AND (arm.class_teacher_id = $4
                      OR EXISTS (SELECT FROM teaching_loads l WHERE l.session_id = e.session_id
                                 AND l.class_arm_id = e.class_arm_id AND l.staff_id = $4))) AS is_taught
FROM students s, terms t WHERE s.id = $1 AND t.id = $2
"""


async def head_of(tx: Transaction, class_arm_id: ClassArmId, day: date) -> tuple[RegisterHead, str] | None:
    """Return the register of an arm and day, and the school's time zone; None where there is no such arm.

    ``today`` of the head is the day itself: the caller works it out from the time zone.
    """
    row = await tx.fetchrow(_HEAD, class_arm_id, day)
    if row is None:
        return None
    fields = dict(row)
    time_zone: str = fields.pop("time_zone")
    return RegisterHead(day=day, today=day, **fields), time_zone


async def teaches(tx: Transaction, staff_id: StaffId | None, session_id: SessionId | None, arm: ClassArmId) -> bool:
    """Tell whether a member of staff teaches the arm something in a session, or ever where none is given."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM teaching_loads WHERE staff_id = $1 AND class_arm_id = $3"
            " AND ($2::uuid IS NULL OR session_id = $2))",
            staff_id,
            session_id,
            arm,
        )
    )


async def lines_of(tx: Transaction, head: RegisterHead) -> list[RegisterLine]:
    """Return everyone enrolled in the arm on the day, with what is written."""
    rows = await tx.fetch(_LINES, head.session_id, head.class_arm_id, head.day, head.id)
    return [
        RegisterLine(
            student_id=StudentId(row["id"]),
            student_no=row["student_no"],
            name=display_name(row["family_name"], row["given_names"]),
            status=AttendanceStatus(row["status"] or AttendanceStatus.PRESENT),
            note=row["note"] or "",
            recorded=row["status"] is not None,
            reason=_reported(row),
        )
        for row in rows
    ]


async def lock(tx: Transaction, school_id: SchoolId, head: RegisterHead) -> tuple[RegisterId, int]:
    """Return the register's id and version, locked until the transaction ends; opened where there is none."""
    await tx.execute(_OPEN, school_id, new_id(), head.class_arm_id, head.day)
    row = await tx.fetchrow(
        "SELECT id, version FROM attendance_registers WHERE class_arm_id = $1 AND day = $2 FOR UPDATE",
        head.class_arm_id,
        head.day,
    )
    assert row is not None  # noqa: S101 - opened by the statement before
    return RegisterId(row["id"]), int(row["version"])


async def save(
    tx: Transaction, school_id: SchoolId, register_id: RegisterId, entries: Sequence[Entry], at: datetime
) -> int:
    """Write a locked register and return its new version."""
    version = int(await tx.fetchval(_TOUCH, register_id, at))
    await tx.execute(
        _SAVE,
        school_id,
        register_id,
        [entry.student_id for entry in entries],
        [entry.status.value for entry in entries],
        [entry.note for entry in entries],
        version,
        at,
    )
    return version


async def day_counts(tx: Transaction, day: date) -> list[DayCount]:
    """Return every class that has students on a day, called or not."""
    return [_count(row, day) for row in await tx.fetch(_DAY, day)]


async def registers_of(
    tx: Transaction, class_arm_id: ClassArmId, *, since: date, before: date | None, limit: int
) -> list[DayCount]:
    """Return the saved registers of an arm, newest first."""
    return [_count(row, row["day"]) for row in await tx.fetch(_REGISTERS, class_arm_id, since, before, limit)]


async def changes_of(
    tx: Transaction, register_id: RegisterId, *, below: int | None, limit: int
) -> list[RegisterChange]:
    """Return the corrections of a register, newest first."""
    rows = await tx.fetch(
        "SELECT id, student_id, version, old_status, old_note, new_status, new_note, actor_id, at"
        " FROM attendance_changes WHERE register_id = $1 AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        register_id,
        below,
        limit,
    )
    return [RegisterChange(**dict(row)) for row in rows]


async def student_for(
    tx: Transaction,
    student_id: StudentId,
    term_id: TermId,
    *,
    guardian_id: GuardianId | None,
    staff_id: StaffId | None,
) -> Row | None:
    """Return a student with ``is_ward`` and ``is_taught`` by the caller in a term, or None."""
    return await tx.fetchrow(_STUDENT, student_id, term_id, guardian_id, staff_id)


async def summary_of(tx: Transaction, student_id: StudentId, term_id: TermId) -> Summary:
    """Return a student's term."""
    rows = await tx.fetch(_SUMMARY, term_id, student_id)
    found = [(row["day"], Entry(student_id, AttendanceStatus(row["status"]), row["note"])) for row in rows]
    count = {status: sum(1 for _, entry in found if entry.status is status) for status in AttendanceStatus}
    return Summary(
        student_id=student_id,
        term_id=term_id,
        present=count[AttendanceStatus.PRESENT],
        absent=count[AttendanceStatus.ABSENT],
        late=count[AttendanceStatus.LATE],
        excused=count[AttendanceStatus.EXCUSED],
        exceptions=tuple((day, entry) for day, entry in found if entry.status is not AttendanceStatus.PRESENT),
    )


def _reported(row: Row) -> ReportedReason | None:
    return ReportedReason(row["reason"], row["reason_note"], row["given_at"]) if row["reason"] else None


def _count(row: Row, day: date) -> DayCount:
    return DayCount(**{**dict(row), "day": day})
