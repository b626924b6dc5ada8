"""The SQL that reads what cards are worked out from: a fixed number of statements for any number of students."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.ids import ClassArmId, PolicyId, SessionId, StudentId, SubjectId, TermId
from core.ports import Row, Transaction
from core.reports.records import (
    ArmRecord,
    Earlier,
    EarlierScore,
    EarlierTerm,
    StudentRecord,
    SubjectRecord,
    TermHead,
)
from core.school.grading import percentage
from core.school.marks.approval import SheetState
from core.school.marks.model import Mark, MarkStatus
from core.school.model import Gender, Stage
from core.school.policies import AssessmentPolicy, Component, GradingPolicy
from core.school.report_policies import ReportPolicy

STAFF_NAME = "concat_ws(' ', nullif({0}.title, ''), {0}.family_name, {0}.given_names)"

_HEAD = f"""
SELECT school.id AS school_id, school.name AS school_name, school.address, coalesce(school.phone, '') AS phone,
       coalesce(school.email, '') AS email, school.logo_key, school.time_zone,
       coalesce((SELECT CASE WHEN count(*) = 1 THEN min(coalesce({STAFF_NAME.format("s")}, u.display_name)) END
                 FROM users u LEFT JOIN staff s ON (s.school_id, s.id) = (u.school_id, u.staff_id)
                 WHERE u.school_id = school.id AND u.active AND 'principal' = ANY (u.roles)), '') AS principal_name,
       t.session_id, session.name AS session_name, t.id AS term_id, t.name AS term_name, t.number AS term_number,
       t.starts_on, t.ends_on, t.closed_at,
       (SELECT min(n.starts_on) FROM terms n WHERE n.school_id = t.school_id AND n.starts_on > t.ends_on)
           AS next_starts_on
FROM terms t
JOIN schools school ON school.id = t.school_id
JOIN academic_sessions session ON (session.school_id, session.id) = (t.school_id, t.session_id)
WHERE t.id = $1
"""

# The newest policy of a kind that holds for a stage: its own, else the one for all.
IN_FORCE = """LEFT JOIN LATERAL (
    SELECT p.id, p.body, p.name, p.version FROM policies p
    WHERE p.school_id = {of}.school_id AND p.kind = '{kind}' AND p.stage IN ({of}.stage, '')
    ORDER BY p.stage DESC, p.version DESC LIMIT 1
) {name} ON true"""

_ARMS = f"""
SELECT arm.id, level.name || ' ' || arm.name AS name, level.stage, level.name AS level_name,
       (SELECT up.name FROM levels up WHERE up.school_id = level.school_id AND up.rank > level.rank
        ORDER BY up.rank LIMIT 1) AS next_level_name,
       arm.class_teacher_id, coalesce({STAFF_NAME.format("teacher")}, '') AS class_teacher_name,
       rules.id AS rules_id, rules.body AS rules
FROM class_arms arm
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
LEFT JOIN staff teacher ON (teacher.school_id, teacher.id) = (arm.school_id, arm.class_teacher_id)
{IN_FORCE.format(of="level", kind="report", name="rules")}
WHERE arm.id = ANY ($1::uuid[])
ORDER BY level.rank, arm.name
"""

_STUDENTS = """
SELECT s.id, e.class_arm_id, s.student_no, s.family_name, s.given_names, s.gender, s.photo_key
FROM terms t
JOIN enrolments e ON (e.school_id, e.session_id) = (t.school_id, t.session_id)
JOIN students s ON (s.school_id, s.id) = (e.school_id, e.student_id)
WHERE t.id = $1 AND (s.left_on IS NULL OR s.left_on > t.ends_on) AND {wanted}
ORDER BY s.family_name, s.given_names, s.student_no
"""

# A sheet that is being read is not written to until the transaction ends: a mark's change touches its sheet first.
_SUBJECTS = f"""
SELECT load.class_arm_id, subject.id AS subject_id, subject.code, subject.name, load.elective,
       load.staff_id AS teacher_id, {STAFF_NAME.format("teacher")} AS teacher_name,
       m.id AS sheet_id, coalesce(m.state, 'draft') AS state,
       coalesce(assessment.body, assessing.body) AS assessment,
       coalesce(grading.id, rating.id) AS grading_id, coalesce(grading.body, rating.body) AS grading,
       coalesce(grading.name, rating.name) AS grading_name, coalesce(grading.version, rating.version) AS grading_version
FROM terms t
JOIN teaching_loads load ON (load.school_id, load.session_id) = (t.school_id, t.session_id)
JOIN subjects subject ON (subject.school_id, subject.id) = (load.school_id, load.subject_id)
JOIN staff teacher ON (teacher.school_id, teacher.id) = (load.school_id, load.staff_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (load.school_id, load.class_arm_id)
JOIN levels level ON (level.school_id, level.id) = (arm.school_id, arm.level_id)
LEFT JOIN mark_sheets m ON (m.school_id, m.term_id, m.class_arm_id, m.subject_id)
                         = (t.school_id, t.id, load.class_arm_id, load.subject_id)
LEFT JOIN policies assessment ON (assessment.school_id, assessment.id) = (m.school_id, m.assessment_policy_id)
LEFT JOIN policies grading ON (grading.school_id, grading.id) = (m.school_id, m.grading_policy_id)
{IN_FORCE.format(of="level", kind="assessment", name="assessing")}
{IN_FORCE.format(of="level", kind="grading", name="rating")}
WHERE t.id = $1 AND load.class_arm_id = ANY ($2::uuid[])
ORDER BY subject.name
"""
_HOLD_SHEETS = """
SELECT count(*) FROM (
    SELECT m.id FROM mark_sheets m WHERE m.term_id = $1 AND m.class_arm_id = ANY ($2::uuid[]) FOR SHARE
) held
"""

_MARKS = """
SELECT sheet_id, student_id, array_agg(component) AS components, array_agg(status) AS statuses,
       array_agg(value) AS given
FROM marks WHERE sheet_id = ANY ($1::uuid[])
GROUP BY sheet_id, student_id
"""

_CHOSEN = """
SELECT c.student_id, c.subject_id
FROM terms t JOIN elective_choices c ON (c.school_id, c.session_id) = (t.school_id, t.session_id)
WHERE t.id = $1 AND c.student_id = ANY ($2::uuid[])
"""

_EARLIER_TERMS = """
SELECT t.id, t.name, t.number, t.session_id, session.name AS session_name
FROM terms now
JOIN terms t ON t.school_id = now.school_id AND t.starts_on < now.starts_on
JOIN academic_sessions session ON (session.school_id, session.id) = (t.school_id, t.session_id)
WHERE now.id = $1
ORDER BY t.starts_on DESC LIMIT 5
"""

_EARLIER_SHEETS = (
    "SELECT id, term_id, subject_id, assessment_policy_id FROM mark_sheets WHERE term_id = ANY ($1::uuid[])"
)

# By the index of students alone: a school just imported has no statistics, and whatever else is offered to the planner
# then can cost a thousand times as much. "IS TRUE" keeps the sheets out of the choice of an index.
_EARLIER = """
SELECT sheet_id, student_id, sum(value) AS total, count(*) AS there, bool_or(status = 'scored') AS scored,
       bool_or(status = 'absent') AS absent, array_agg(component) FILTER (WHERE status = 'exempt') AS exempt
FROM marks
WHERE student_id = ANY ($1::uuid[]) AND (sheet_id = ANY ($2::uuid[])) IS TRUE
GROUP BY sheet_id, student_id
"""


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a set of students in a term."""

    arms: tuple[ArmRecord, ...]
    rules_ids: Mapping[ClassArmId, PolicyId | None]


async def head_of(tx: Transaction, term_id: TermId) -> TermHead | None:
    """Return a term with its school, or None."""
    row = await tx.fetchrow(_HEAD, term_id)
    return TermHead(**dict(row)) if row else None


async def students_of(tx: Transaction, term_id: TermId, student_ids: Sequence[StudentId]) -> list[StudentRecord]:
    """Return those of the students who are enrolled in the term, by name."""
    rows = await tx.fetch(_STUDENTS.format(wanted="s.id = ANY ($2::uuid[])"), term_id, list(student_ids))
    return [_student(row) for row in rows]


async def students_in(tx: Transaction, term_id: TermId, arms: Sequence[ClassArmId]) -> list[StudentRecord]:
    """Return everyone enrolled in classes in the term, by name."""
    rows = await tx.fetch(_STUDENTS.format(wanted="e.class_arm_id = ANY ($2::uuid[])"), term_id, list(arms))
    return [_student(row) for row in rows]


async def classes_of(
    tx: Transaction,
    head: TermHead,
    arm_ids: Sequence[ClassArmId],
    *,
    hold: bool = False,
    earlier_of: Sequence[StudentId] | None = None,
) -> Classes:
    """Return classes with everyone in them.

    Args:
        tx: a transaction of the school.
        head: the term.
        arm_ids: the classes.
        hold: whether their marks are kept as they are until the transaction ends.
        earlier_of: whose results of earlier terms are read, five terms for each; None: everyone's.
    """
    if hold:
        await tx.fetchval(_HOLD_SHEETS, head.term_id, list(arm_ids))
    arms = await tx.fetch(_ARMS, list(arm_ids))
    students = await students_in(tx, head.term_id, arm_ids)
    everyone = [student.id for student in students]
    subjects = await _subjects(tx, head.term_id, arm_ids)
    chosen = await tx.fetch(_CHOSEN, head.term_id, everyone)
    terms, earlier = await _earlier(tx, head.term_id, everyone if earlier_of is None else earlier_of)
    choices = frozenset((StudentId(row["student_id"]), SubjectId(row["subject_id"])) for row in chosen)
    records = [
        _arm(row, head, students=students, subjects=subjects, chosen=choices, earlier_terms=terms, earlier=earlier)
        for row in arms
    ]
    return Classes(tuple(records), {ClassArmId(row["id"]): row["rules_id"] for row in arms})


async def _subjects(
    tx: Transaction, term_id: TermId, arm_ids: Sequence[ClassArmId]
) -> dict[ClassArmId, list[SubjectRecord]]:
    rows = await tx.fetch(_SUBJECTS, term_id, list(arm_ids))
    marks = await _marks(tx, [row["sheet_id"] for row in rows if row["sheet_id"]])
    found: dict[ClassArmId, list[SubjectRecord]] = {}
    policies: dict[int, Any] = {}
    for row in rows:
        if row["assessment"] is None or row["grading"] is None:
            continue  # the school has no policy to mark this subject by, and no sheet of it
        record = _subject(row, marks.get(row["sheet_id"], {}), policies)
        found.setdefault(ClassArmId(row["class_arm_id"]), []).append(record)
    return found


async def _marks(tx: Transaction, sheet_ids: Sequence[object]) -> dict[Any, dict[StudentId, dict[str, Mark]]]:
    found: dict[Any, dict[StudentId, dict[str, Mark]]] = {}
    for row in await tx.fetch(_MARKS, list(sheet_ids)):
        cells = zip(row["components"], row["statuses"], row["given"], strict=True)
        found.setdefault(row["sheet_id"], {})[StudentId(row["student_id"])] = {
            code: Mark(MarkStatus(status), value) for code, status, value in cells
        }
    return found


async def _earlier(
    tx: Transaction, term_id: TermId, students: Sequence[StudentId]
) -> tuple[tuple[EarlierTerm, ...], Earlier]:
    terms = [EarlierTerm(**dict(row)) for row in await tx.fetch(_EARLIER_TERMS, term_id)][::-1]
    sheets = {row["id"]: row for row in await tx.fetch(_EARLIER_SHEETS, [term.id for term in terms])}
    parts = await _components(tx, {sheet["assessment_policy_id"] for sheet in sheets.values()})
    found: dict[StudentId, dict[TermId, dict[SubjectId, EarlierScore]]] = {}
    for row in await tx.fetch(_EARLIER, list(students), list(sheets)) if sheets else ():
        sheet = sheets[row["sheet_id"]]
        score = earlier_score(row, parts[sheet["assessment_policy_id"]])
        if score is not None:
            found.setdefault(row["student_id"], {}).setdefault(sheet["term_id"], {})[sheet["subject_id"]] = score
    return tuple(terms), found


async def _components(tx: Transaction, policy_ids: Collection[object]) -> dict[object, tuple[Component, ...]]:
    rows = await tx.fetch("SELECT id, body FROM policies WHERE id = ANY ($1::uuid[])", list(policy_ids))
    return {row["id"]: AssessmentPolicy.model_validate(row["body"]).components for row in rows}


def earlier_score(counted: Row, parts: Sequence[Component]) -> EarlierScore | None:
    """Return what a student's marks of a sheet come to, by the rules of ``core.school.grading``.

    None where the student is exempt from everything that is recorded.
    """
    exempt = frozenset(counted["exempt"] or ())
    if not (counted["scored"] or counted["absent"]):
        return None
    reachable = Decimal(sum(part.max for part in parts if part.code not in exempt))
    score = percentage(counted["total"], reachable) if counted["scored"] else None
    return EarlierScore(score, absent=not counted["scored"], complete=counted["there"] == len(parts))


def _student(row: Row) -> StudentRecord:
    return StudentRecord(**{**dict(row), "gender": Gender(row["gender"])})


def _subject(row: Row, marks: Mapping[StudentId, Mapping[str, Mark]], parsed: dict[int, Any]) -> SubjectRecord:
    fields = dict(row)
    fields.pop("class_arm_id")
    assessment = AssessmentPolicy.model_validate(fields.pop("assessment"))
    grading_id = fields["grading_id"]
    if grading_id.int not in parsed:
        parsed[grading_id.int] = GradingPolicy.model_validate(fields["grading"])
    state = SheetState(fields.pop("state"))
    fields["grading"] = parsed[grading_id.int]
    return SubjectRecord(**fields, state=state, components=assessment.components, marks=marks)


def _arm(
    row: Row,
    head: TermHead,
    *,
    students: Sequence[StudentRecord],
    subjects: Mapping[ClassArmId, Sequence[SubjectRecord]],
    **shared: Any,
) -> ArmRecord:
    fields = dict(row)
    fields.pop("rules_id")
    rules = fields.pop("rules")
    fields["stage"] = Stage(fields["stage"])
    return ArmRecord(
        **fields,
        session_id=SessionId(head.session_id),
        rules=ReportPolicy.model_validate(rules) if rules else ReportPolicy(),
        students=tuple(student for student in students if student.class_arm_id == row["id"]),
        subjects=tuple(subjects.get(ClassArmId(row["id"]), ())),
        **shared,
    )


async def rules_of(tx: Transaction, class_arm_id: ClassArmId) -> ReportPolicy:
    """Return the report policy that holds for a class."""
    row = await tx.fetchrow(_ARMS, [class_arm_id])
    return ReportPolicy.model_validate(row["rules"]) if row and row["rules"] else ReportPolicy()
