"""The SQL that says how far a caller reaches: whose class, whose subject, which term."""

from core.ids import ClassArmId, StudentId, SubjectId, TermId
from core.ports import Row, Transaction

_CLASS = """
SELECT e.class_arm_id, arm.class_teacher_id
FROM terms t
JOIN enrolments e ON (e.school_id, e.session_id) = (t.school_id, t.session_id)
JOIN class_arms arm ON (arm.school_id, arm.id) = (e.school_id, e.class_arm_id)
WHERE t.id = $1 AND e.student_id = $2
"""

_LOAD = """
SELECT load.staff_id
FROM terms t
JOIN class_arms arm ON (arm.school_id, arm.id) = (t.school_id, $2)
JOIN subjects s ON (s.school_id, s.id) = (t.school_id, $3)
LEFT JOIN teaching_loads load ON (load.school_id, load.session_id, load.class_arm_id, load.subject_id)
                               = (t.school_id, t.session_id, arm.id, s.id)
WHERE t.id = $1
"""


async def term(tx: Transaction, term_id: TermId) -> Row | None:
    """Return a term's name, session and when it was closed, or None."""
    return await tx.fetchrow("SELECT name, session_id, closed_at FROM terms WHERE id = $1", term_id)


async def arm(tx: Transaction, class_arm_id: ClassArmId) -> Row | None:
    """Return whose class an arm is, or None where there is no such arm."""
    return await tx.fetchrow("SELECT class_teacher_id FROM class_arms WHERE id = $1", class_arm_id)


async def class_of(tx: Transaction, term_id: TermId, student_id: StudentId) -> Row | None:
    """Return the class of a student in a term and whose it is, or None."""
    return await tx.fetchrow(_CLASS, term_id, student_id)


async def load(tx: Transaction, term_id: TermId, class_arm_id: ClassArmId, subject_id: SubjectId) -> Row | None:
    """Return who teaches a subject in a class in a term's session, or None where one of them is not there."""
    return await tx.fetchrow(_LOAD, term_id, class_arm_id, subject_id)
