"""The SQL of mark sheets: opening, finding, listing, and their way along the approval chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access.principal import Role
from core.ids import ClassArmId, MarkSheetId, PolicyId, SchoolId, StaffId, StudentId, SubjectId, TermId, UserId, new_id
from core.ports import Row, Transaction
from core.school.marks.approval import SheetState, Standing
from core.school.marks.model import ListedSheet, SheetHead, Step
from core.school.model import Stage
from core.school.policies import ApprovalPolicy, AssessmentPolicy, GradingPolicy

_STAFF_NAME = "concat_ws(' ', nullif({0}.title, ''), {0}.family_name, {0}.given_names)"

_HEAD = f"""
SELECT m.id, m.school_id, m.term_id, m.class_arm_id, m.subject_id, m.state, m.steps_done, m.round, m.version,
       m.published_at, school.name AS school_name, t.name AS term_name, t.closed_at IS NOT NULL AS term_closed,
       session.name AS session_name, l.name || ' ' || a.name AS class_arm_name, s.name AS subject_name,
       load.staff_id AS teacher_id, coalesce({_STAFF_NAME.format("teacher")}, '') AS teacher_name,
       a.class_teacher_id, d.head_id AS department_head_id,
       assessment.body AS assessment, grading.body AS grading, approval.body AS approval
FROM mark_sheets m
JOIN schools school ON school.id = m.school_id
JOIN terms t ON (t.school_id, t.id) = (m.school_id, m.term_id)
JOIN academic_sessions session ON (session.school_id, session.id) = (m.school_id, t.session_id)
JOIN class_arms a ON (a.school_id, a.id) = (m.school_id, m.class_arm_id)
JOIN levels l ON (l.school_id, l.id) = (m.school_id, a.level_id)
JOIN subjects s ON (s.school_id, s.id) = (m.school_id, m.subject_id)
JOIN policies assessment ON (assessment.school_id, assessment.id) = (m.school_id, m.assessment_policy_id)
JOIN policies grading ON (grading.school_id, grading.id) = (m.school_id, m.grading_policy_id)
JOIN policies approval ON (approval.school_id, approval.id) = (m.school_id, m.approval_policy_id)
LEFT JOIN departments d ON (d.school_id, d.id) = (m.school_id, s.department_id)
LEFT JOIN teaching_loads load ON (load.school_id, load.session_id, load.class_arm_id, load.subject_id)
                               = (m.school_id, t.session_id, m.class_arm_id, m.subject_id)
LEFT JOIN staff teacher ON (teacher.school_id, teacher.id) = (m.school_id, load.staff_id)
"""

_LIST = f"""
WITH listed AS (
    SELECT load.id AS load_id, DATE '3000-01-01' - t.starts_on AS sort_key, l.rank::int AS level_rank,
           m.id, m.version, coalesce(m.state, 'not_opened') AS state, coalesce(m.steps_done, 0) AS steps_done,
           coalesce(m.round, 1) AS round, t.id AS term_id, t.name AS term_name, session.name AS session_name,
           a.id AS class_arm_id, l.name || ' ' || a.name AS class_arm_name, s.id AS subject_id,
           s.name AS subject_name, load.staff_id AS teacher_id, {_STAFF_NAME.format("teacher")} AS teacher_name
    FROM teaching_loads load
    JOIN terms t ON (t.school_id, t.session_id) = (load.school_id, load.session_id)
    JOIN academic_sessions session ON (session.school_id, session.id) = (load.school_id, load.session_id)
    JOIN class_arms a ON (a.school_id, a.id) = (load.school_id, load.class_arm_id)
    JOIN levels l ON (l.school_id, l.id) = (load.school_id, a.level_id)
    JOIN subjects s ON (s.school_id, s.id) = (load.school_id, load.subject_id)
    JOIN staff teacher ON (teacher.school_id, teacher.id) = (load.school_id, load.staff_id)
    LEFT JOIN departments d ON (d.school_id, d.id) = (load.school_id, s.department_id)
    LEFT JOIN mark_sheets m ON (m.school_id, m.term_id, m.class_arm_id, m.subject_id)
                             = (load.school_id, t.id, load.class_arm_id, load.subject_id)
    WHERE ($1::uuid IS NULL OR t.id = $1) AND ($2::uuid IS NULL OR a.id = $2) AND ($3::uuid IS NULL OR s.id = $3)
      AND ($4::text IS NULL OR coalesce(m.state, 'not_opened') = $4)
      AND ($5 OR load.staff_id = $6 OR ($7 AND a.class_teacher_id = $6) OR ($8 AND d.head_id = $6))
)
SELECT listed.*, (SELECT count(DISTINCT student_id) FROM marks WHERE sheet_id = listed.id)::int AS marked_students
FROM listed
WHERE $9::int IS NULL OR (sort_key, level_rank, class_arm_name, subject_name, load_id)
                       > ($9, $10::int, $11::text, $12::text, $13::uuid)
ORDER BY sort_key, level_rank, class_arm_name, subject_name, load_id
LIMIT $14
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFilter:
    """Which sheets are listed."""

    term_id: TermId | None = None
    class_arm_id: ClassArmId | None = None
    subject_id: SubjectId | None = None
    state: str | None = None
    """``not_opened`` or a state of the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whose sheets a caller sees."""

    everything: bool
    staff_id: StaffId | None
    own_class: bool
    own_department: bool


async def head_of(tx: Transaction, sheet_id: MarkSheetId, *, lock: bool = False) -> SheetHead | None:
    """Return a sheet without its marks; locked, nobody else writes to it until this transaction ends."""
    row = await tx.fetchrow(f"{_HEAD} WHERE m.id = $1 {'FOR UPDATE OF m' if lock else ''}", sheet_id)
    return _head(row) if row else None


async def heads_of_student(tx: Transaction, term_id: TermId, student_id: StudentId) -> Sequence[SheetHead]:
    """Return the sheets of a student's arm in a term, by subject; before each what another arm published of them."""
    rows = await tx.fetch(
        f"""
        {_HEAD}
        LEFT JOIN enrolments own ON (own.school_id, own.session_id, own.class_arm_id, own.student_id)
                                  = (m.school_id, t.session_id, m.class_arm_id, $2)
        WHERE m.term_id = $1
          AND (own.student_id IS NOT NULL
               OR m.state = 'published' AND EXISTS (SELECT FROM marks k WHERE (k.school_id, k.sheet_id, k.student_id)
                                                                            = (m.school_id, m.id, $2)))
        ORDER BY s.name, s.id, own.student_id IS NOT NULL
        """,
        term_id,
        student_id,
    )
    return [_head(row) for row in rows]


async def sheet_id_of(
    tx: Transaction, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId
) -> MarkSheetId | None:
    """Return the open sheet of a subject in an arm and term."""
    found: MarkSheetId | None = await tx.fetchval(
        "SELECT id FROM mark_sheets WHERE term_id = $1 AND class_arm_id = $2 AND subject_id = $3",
        term_id,
        class_arm_id,
        subject_id,
    )
    return found


async def stage_taught(
    tx: Transaction, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId
) -> tuple[Stage, bool] | None:
    """Return the stage of an arm and whether it takes the subject in the term; None where one of them is not there."""
    row = await tx.fetchrow(
        """
        SELECT l.stage, load.id IS NOT NULL AS taught
        FROM terms t JOIN class_arms a ON a.school_id = t.school_id JOIN subjects s ON s.school_id = t.school_id
        JOIN levels l ON (l.school_id, l.id) = (a.school_id, a.level_id)
        LEFT JOIN teaching_loads load ON (load.school_id, load.session_id, load.class_arm_id, load.subject_id)
                                       = (t.school_id, t.session_id, a.id, s.id)
        WHERE t.id = $1 AND a.id = $2 AND s.id = $3
        """,
        term_id,
        class_arm_id,
        subject_id,
    )
    return (Stage(row["stage"]), bool(row["taught"])) if row else None


async def add_sheet(
    tx: Transaction,
    school_id: SchoolId,
    subject: tuple[TermId, ClassArmId, SubjectId],
    policies: tuple[PolicyId, PolicyId, PolicyId],
) -> None:
    """Open a sheet under its assessment, grading and approval policies; one that another opened meanwhile stays."""
    await tx.execute(
        """
        INSERT INTO mark_sheets (school_id, id, term_id, class_arm_id, subject_id,
                                 assessment_policy_id, grading_policy_id, approval_policy_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (school_id, term_id, class_arm_id, subject_id) DO NOTHING
        """,
        school_id,
        new_id(),
        *subject,
        *policies,
    )


async def listed(
    tx: Transaction, wanted: SheetFilter, reach: Reach, *, after: Sequence[Any] | None, limit: int
) -> Sequence[ListedSheet]:
    """Return teaching loads by term with their sheets, newest term first, from after a key on."""
    rows = await tx.fetch(
        _LIST,
        wanted.term_id,
        wanted.class_arm_id,
        wanted.subject_id,
        wanted.state,
        reach.everything,
        reach.staff_id,
        reach.own_class,
        reach.own_department,
        *(after or (None,) * 5),
        limit,
    )
    return [ListedSheet(**row) for row in rows]


async def raise_version(tx: Transaction, sheet_id: MarkSheetId) -> int:
    """Give the sheet its next version and return it."""
    version: int = await tx.fetchval(
        "UPDATE mark_sheets SET version = version + 1 WHERE id = $1 RETURNING version", sheet_id
    )
    return version


async def move(tx: Transaction, head: SheetHead, to: Standing, at: datetime) -> int:
    """Put a locked sheet where it has come on the chain and return its new version."""
    version: int = await tx.fetchval(
        """
        UPDATE mark_sheets SET state = $2, steps_done = $3, round = $4, version = version + 1,
               published_at = CASE WHEN $2 = 'published' THEN $5::timestamptz END
        WHERE id = $1 RETURNING version
        """,
        head.id,
        to.state.value,
        to.steps_done,
        to.round,
        at,
    )
    return version


async def add_step(
    tx: Transaction, head: SheetHead, to: Standing, *, action: str, role: Role, comment: str, at: datetime
) -> None:
    """Write down a move along the chain."""
    await tx.execute(
        """
        INSERT INTO mark_sheet_steps
            (school_id, id, sheet_id, action, from_state, to_state, actor_id, role, comment, at)
        VALUES ($1, $2, $3, $4, $5, $6, app_actor(), $7, $8, $9)
        """,
        head.school_id,
        new_id(),
        head.id,
        action,
        head.standing.state.value,
        to.state.value,
        role.value,
        comment,
        at,
    )


async def steps_of(tx: Transaction, sheet_id: MarkSheetId) -> Sequence[Step]:
    """Return a sheet's way along the chain, oldest first."""
    rows = await tx.fetch(
        """
        SELECT step.action, step.from_state, step.to_state, step.actor_id, coalesce(u.display_name, '') AS actor_name,
               step.role, step.comment, step.at
        FROM mark_sheet_steps step LEFT JOIN users u ON (u.school_id, u.id) = (step.school_id, step.actor_id)
        WHERE step.sheet_id = $1 ORDER BY step.at, step.id
        """,
        sheet_id,
    )
    return [Step(**{**row, "actor_id": UserId(row["actor_id"]) if row["actor_id"] else None}) for row in rows]


def _head(row: Row) -> SheetHead:
    taken = dict(row)
    standing = Standing(SheetState(taken.pop("state")), taken.pop("steps_done"), taken.pop("round"))
    return SheetHead(
        components=AssessmentPolicy.model_validate(taken.pop("assessment")).components,
        steps=ApprovalPolicy.model_validate(taken.pop("approval")).steps,
        grading=GradingPolicy.model_validate(taken.pop("grading")),
        standing=standing,
        **taken,
    )
