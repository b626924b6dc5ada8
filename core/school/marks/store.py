"""The SQL of marks: who is on a sheet, what they have, what changed when."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from core.ids import GuardianId, MarkSheetId, MarkUploadId, StudentId
from core.ports import Row, Transaction
from core.school.marks.model import AuditEntry, Cell, Change, Mark, MarkStatus, RosterStudent, SheetHead
from core.school.model import display_name

_ROSTER = """
SELECT m.id AS sheet_id, student.id, student.student_no, student.family_name, student.given_names
FROM mark_sheets m
JOIN terms t ON (t.school_id, t.id) = (m.school_id, m.term_id)
JOIN enrolments e ON (e.school_id, e.session_id, e.class_arm_id) = (m.school_id, t.session_id, m.class_arm_id)
JOIN students student ON (student.school_id, student.id) = (m.school_id, e.student_id)
LEFT JOIN teaching_loads load ON (load.school_id, load.session_id, load.class_arm_id, load.subject_id)
                               = (m.school_id, t.session_id, m.class_arm_id, m.subject_id)
WHERE m.id = ANY ($1::uuid[])
  AND (student.left_on IS NULL OR student.left_on > t.ends_on)
  AND (NOT coalesce(load.elective, false)
       OR EXISTS (SELECT FROM elective_choices choice
                  WHERE (choice.school_id, choice.session_id, choice.student_id, choice.subject_id)
                      = (m.school_id, t.session_id, student.id, m.subject_id)))
ORDER BY student.family_name, student.given_names, student.student_no
"""

_SET = """
INSERT INTO marks (school_id, sheet_id, student_id, component, status, value)
SELECT $1, $2, student_id, component, status, value
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::numeric[]) AS new (student_id, component, status, value)
ON CONFLICT (school_id, sheet_id, student_id, component)
DO UPDATE SET status = excluded.status, value = excluded.value, updated_at = now()
"""

_CLEAR = """
DELETE FROM marks
USING unnest($2::uuid[], $3::text[]) AS gone (student_id, component)
WHERE sheet_id = $1 AND marks.student_id = gone.student_id AND marks.component = gone.component
"""

_BEFORE = """
SELECT DISTINCT ON (student_id, component) student_id, component, old_status, old_value
FROM mark_audit WHERE sheet_id = $1 AND sheet_version > $2
ORDER BY student_id, component, id
"""

_AUDIT = """
SELECT audit.id, audit.student_id, audit.component, audit.old_status, audit.old_value, audit.new_status,
       audit.new_value, audit.actor_id, coalesce(u.display_name, '') AS actor_name, audit.reason, audit.upload_id,
       audit.sheet_version, audit.at
FROM mark_audit audit LEFT JOIN users u ON (u.school_id, u.id) = (audit.school_id, audit.actor_id)
WHERE audit.sheet_id = $1 AND ($2::uuid IS NULL OR audit.student_id = $2) AND ($3::bigint IS NULL OR audit.id < $3)
ORDER BY audit.id DESC LIMIT $4
"""


async def rosters(tx: Transaction, sheet_ids: Iterable[MarkSheetId]) -> dict[MarkSheetId, list[RosterStudent]]:
    """Return who is on each sheet: enrolled, not gone before the term's end, taking the subject; by name."""
    found: dict[MarkSheetId, list[RosterStudent]] = {}
    for row in await tx.fetch(_ROSTER, list(sheet_ids)):
        name = display_name(row["family_name"], row["given_names"])
        student = RosterStudent(StudentId(row["id"]), row["student_no"], name)
        found.setdefault(MarkSheetId(row["sheet_id"]), []).append(student)
    return found


async def roster(tx: Transaction, sheet_id: MarkSheetId) -> list[RosterStudent]:
    """Return who is on one sheet."""
    return (await rosters(tx, [sheet_id])).get(sheet_id, [])


async def marks_of(tx: Transaction, sheet_ids: Iterable[MarkSheetId]) -> dict[MarkSheetId, dict[Cell, Mark]]:
    """Return the marks of each sheet."""
    rows = await tx.fetch(
        "SELECT sheet_id, student_id, component, status, value FROM marks WHERE sheet_id = ANY ($1::uuid[])",
        list(sheet_ids),
    )
    found: dict[MarkSheetId, dict[Cell, Mark]] = {}
    for row in rows:
        mark = Mark(MarkStatus(row["status"]), row["value"])
        found.setdefault(MarkSheetId(row["sheet_id"]), {})[_cell(row)] = mark
    return found


async def marks(tx: Transaction, sheet_id: MarkSheetId) -> dict[Cell, Mark]:
    """Return the marks of one sheet."""
    return (await marks_of(tx, [sheet_id])).get(sheet_id, {})


async def write(
    tx: Transaction, head: SheetHead, changes: Sequence[Change], *, reason: str, upload_id: MarkUploadId | None = None
) -> None:
    """Write changes of marks. The sheet's version is raised before, as the audit notes it."""
    await tx.fetchval(
        "SELECT set_config('app.reason', $1, true), set_config('app.upload_id', $2, true)", reason, str(upload_id or "")
    )
    kept = [(change, change.new) for change in changes if change.new is not None]
    await tx.execute(
        _SET,
        head.school_id,
        head.id,
        [change.student_id for change, _ in kept],
        [change.component for change, _ in kept],
        [mark.status.value for _, mark in kept],
        [mark.value for _, mark in kept],
    )
    gone = [change for change in changes if change.new is None]
    if gone:
        await tx.execute(_CLEAR, head.id, [change.student_id for change in gone], [change.component for change in gone])


async def changed_since(tx: Transaction, sheet_id: MarkSheetId, version: int) -> Mapping[Cell, Mark | None]:
    """Return each mark changed after a version of its sheet, with what it was at that version."""
    rows = await tx.fetch(_BEFORE, sheet_id, version)
    return {_cell(row): _mark(row["old_status"], row["old_value"]) for row in rows}


async def audit(
    tx: Transaction, sheet_id: MarkSheetId, *, student_id: StudentId | None, before: int | None, limit: int
) -> Sequence[AuditEntry]:
    """Return the changes of a sheet's marks, newest first."""
    rows = await tx.fetch(_AUDIT, sheet_id, student_id, before, limit)
    return [_entry(row) for row in rows]


async def student_for(tx: Transaction, student_id: StudentId, guardian_id: GuardianId | None) -> Row | None:
    """Return a student's number and names, and whether they are this guardian's ward."""
    return await tx.fetchrow(
        """
        SELECT s.student_no, s.family_name, s.given_names,
               EXISTS (SELECT FROM guardianships g WHERE (g.school_id, g.student_id) = (s.school_id, s.id)
                                                     AND g.guardian_id = $2) AS is_ward
        FROM students s WHERE s.id = $1
        """,
        student_id,
        guardian_id,
    )


def _cell(row: Row) -> Cell:
    return StudentId(row["student_id"]), row["component"]


def _mark(status: str | None, value: Decimal | None) -> Mark | None:
    return None if status is None else Mark(MarkStatus(status), value)


def _entry(row: Row) -> AuditEntry:
    taken = dict(row)
    old = _mark(taken.pop("old_status"), taken.pop("old_value"))
    new = _mark(taken.pop("new_status"), taken.pop("new_value"))
    return AuditEntry(old=old, new=new, **taken)
