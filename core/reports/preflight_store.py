"""The SQL of the pre-flight: what each student's card still lacks, in a fixed number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.ids import ClassArmId, MarkSheetId, StaffId, StudentId, SubjectId, TermId
from core.ports import Transaction
from core.reports.entry_store import attendance_in
from core.reports.record_store import IN_FORCE, STAFF_NAME
from core.school.marks.approval import SheetState
from core.school.report_policies import ReportPolicy

_STUDENTS = f"""
SELECT s.id, s.student_no, s.family_name, s.given_names, s.photo_key IS NOT NULL AS has_photo,
       arm.id AS class_arm_id, level.name || ' ' || arm.name AS class_arm_name, arm.class_teacher_id,
       coalesce({STAFF_NAME.format("teacher")}, '') AS class_teacher_name, rules.body AS rules,
       coalesce(rated.scores, '{{}}') AS scores,
       EXISTS (SELECT FROM report_comments c WHERE c.term_id = t.id AND c.student_id = s.id
               AND c.kind = 'class_teacher' AND c.text <> '') AS has_class_teacher_remark,
       EXISTS (SELECT FROM report_comments c WHERE c.term_id = t.id AND c.student_id = s.id
               AND c.kind = 'principal' AND c.text <> '') AS has_principal_remark,
       EXISTS (SELECT FROM teaching_loads load
               WHERE load.session_id = t.session_id AND load.class_arm_id = arm.id) AS takes_something
FROM terms t
JOIN enrolments e ON (e.school_id, e.session_id) = (t.school_id, t.session_id)
JOIN students s ON (s.school_id, s.id) = (e.school_id, e.student_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (e.school_id, e.class_arm_id)
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
LEFT JOIN staff teacher ON (teacher.school_id, teacher.id) = (arm.school_id, arm.class_teacher_id)
LEFT JOIN report_ratings rated ON (rated.school_id, rated.term_id, rated.student_id) = (t.school_id, t.id, s.id)
{IN_FORCE.format(of="level", kind="report", name="rules")}
WHERE t.id = $1 AND (s.left_on IS NULL OR s.left_on > t.ends_on)
  AND ($2::uuid[] IS NULL OR s.id = ANY ($2)) AND ($3::uuid IS NULL OR arm.id = $3)
ORDER BY level.rank, arm.name, s.family_name, s.given_names, s.student_no
"""

_TAKEN = f"""
SELECT e.student_id, load.subject_id, subject.name AS subject_name, m.id AS sheet_id,
       coalesce(m.state, 'draft') AS state, coalesce(jsonb_array_length(p.body -> 'components'), 1) AS parts,
       load.staff_id AS teacher_id, {STAFF_NAME.format("teacher")} AS teacher_name
FROM terms t
JOIN enrolments e ON (e.school_id, e.session_id) = (t.school_id, t.session_id)
JOIN teaching_loads load ON (load.school_id, load.session_id, load.class_arm_id)
                          = (e.school_id, e.session_id, e.class_arm_id)
JOIN subjects subject ON (subject.school_id, subject.id) = (load.school_id, load.subject_id)
JOIN staff teacher ON (teacher.school_id, teacher.id) = (load.school_id, load.staff_id)
LEFT JOIN elective_choices choice ON load.elective
     AND (choice.school_id, choice.session_id, choice.student_id, choice.subject_id)
       = (e.school_id, e.session_id, e.student_id, load.subject_id)
LEFT JOIN mark_sheets m ON (m.school_id, m.term_id, m.class_arm_id, m.subject_id)
                         = (t.school_id, t.id, load.class_arm_id, load.subject_id)
LEFT JOIN policies p ON (p.school_id, p.id) = (m.school_id, m.assessment_policy_id)
WHERE t.id = $1 AND e.student_id = ANY ($2::uuid[]) AND (NOT load.elective OR choice.student_id IS NOT NULL)
ORDER BY subject.name
"""

# By the index of sheets alone, whatever statistics there are: see record_store.
_COUNTED = """
SELECT sheet_id, student_id, count(*)::int AS marks FROM marks
WHERE sheet_id = ANY ($1::uuid[]) AND (student_id = ANY ($2::uuid[])) IS TRUE
GROUP BY sheet_id, student_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentState:
    """What is there of a student's card beside the subjects."""

    id: StudentId
    student_no: str
    family_name: str
    given_names: str
    has_photo: bool
    class_arm_id: ClassArmId
    class_arm_name: str
    class_teacher_id: StaffId | None
    class_teacher_name: str
    rules: ReportPolicy
    scores: Mapping[str, int]
    has_class_teacher_remark: bool
    has_principal_remark: bool
    has_attendance: bool
    takes_something: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectState:
    """A subject of a student that is not ready: marks are missing, or it is not approved."""

    student_id: StudentId
    subject_id: SubjectId
    subject_name: str
    sheet_id: MarkSheetId | None
    state: SheetState
    missing: int
    parts: int
    teacher_id: StaffId
    teacher_name: str


async def students(
    tx: Transaction,
    term_id: TermId,
    *,
    student_ids: Sequence[StudentId] | None,
    class_arm_id: ClassArmId | None,
) -> list[StudentState]:
    """Return the students of a term, those named or those of a class, by class and name."""
    rows = await tx.fetch(_STUDENTS, term_id, None if student_ids is None else list(student_ids), class_arm_id)
    attended = await attendance_in(tx, term_id, list({row["class_arm_id"] for row in rows}))
    parsed: dict[str, ReportPolicy] = {}
    return [
        StudentState(
            **{**dict(row), "rules": _rules(row["rules"], row["class_arm_id"], parsed)},
            has_attendance=row["id"] in attended,
        )
        for row in rows
    ]


def _rules(body: Any, arm: object, parsed: dict[str, ReportPolicy]) -> ReportPolicy:
    """Return a class's rules, read once a class."""
    if str(arm) not in parsed:
        parsed[str(arm)] = ReportPolicy.model_validate(body) if body else ReportPolicy()
    return parsed[str(arm)]


async def unready_subjects(
    tx: Transaction, term_id: TermId, student_ids: Sequence[StudentId]
) -> dict[StudentId, list[SubjectState]]:
    """Return each student's subjects that are not ready, by name."""
    taken = await tx.fetch(_TAKEN, term_id, list(student_ids))
    sheets = list({row["sheet_id"] for row in taken if row["sheet_id"]})
    counted = {
        (row["sheet_id"], row["student_id"]): row["marks"]
        for row in await tx.fetch(_COUNTED, sheets, list(student_ids))
    }
    found: dict[StudentId, list[SubjectState]] = {}
    for row in taken:
        missing = row["parts"] - counted.get((row["sheet_id"], row["student_id"]), 0)
        state = SheetState(row["state"])
        if missing or state in {SheetState.DRAFT, SheetState.SUBMITTED}:
            subject = SubjectState(**{**dict(row), "state": state, "missing": missing})
            found.setdefault(subject.student_id, []).append(subject)
    return found
