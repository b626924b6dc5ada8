"""The SQL of what ties records together: guardianships, consents, loads, enrolments, elective choices."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.ids import (
    ClassArmId,
    ConsentId,
    GuardianId,
    SchoolId,
    SessionId,
    StaffId,
    StudentId,
    SubjectId,
    TeachingLoadId,
    UserId,
)
from core.ports import Row, Transaction
from core.school.model import Channel, Consent, ElectiveChoice, Enrolment, Guardianship, TeachingLoad
from core.school.records.table import SortKey, Table


def _guardianship(row: Row) -> Guardianship:
    return Guardianship(
        guardian_id=GuardianId(row["guardian_id"]),
        student_id=StudentId(row["student_id"]),
        relationship=row["relationship"],
        receives_messages=row["receives_messages"],
    )


def _consent(row: Row) -> Consent:
    return Consent(
        id=ConsentId(row["id"]),
        guardian_id=GuardianId(row["guardian_id"]),
        channel=Channel(row["channel"]),
        granted=row["granted"],
        source=row["source"],
        recorded_by=UserId(row["recorded_by"]) if row["recorded_by"] else None,
        recorded_at=row["recorded_at"],
    )


def _load(row: Row) -> TeachingLoad:
    return TeachingLoad(
        id=TeachingLoadId(row["id"]),
        session_id=SessionId(row["session_id"]),
        class_arm_id=ClassArmId(row["class_arm_id"]),
        subject_id=SubjectId(row["subject_id"]),
        staff_id=StaffId(row["staff_id"]),
        periods_per_week=row["periods_per_week"],
        elective=row["elective"],
        version=row["version"],
    )


def _enrolment(row: Row) -> Enrolment:
    return Enrolment(
        session_id=SessionId(row["session_id"]),
        student_id=StudentId(row["student_id"]),
        class_arm_id=ClassArmId(row["class_arm_id"]),
        class_arm_name=row["class_arm_name"],
    )


def _elective(row: Row) -> ElectiveChoice:
    return ElectiveChoice(
        session_id=SessionId(row["session_id"]),
        student_id=StudentId(row["student_id"]),
        subject_id=SubjectId(row["subject_id"]),
    )


GUARDIANSHIPS = Table(
    name="guardianships",
    noun="guardianship",
    select="SELECT r.* FROM guardianships r",
    order=(SortKey("r.student_id", "student_id", UUID), SortKey("r.guardian_id", "guardian_id", UUID)),
    build=_guardianship,
)
CONSENTS = Table(
    name="consents",
    noun="consent",
    select="SELECT r.* FROM consents r",
    order=(SortKey("r.recorded_at", "recorded_at", datetime), SortKey("r.id", "id", UUID)),
    build=_consent,
    newest_first=True,
)
LOADS = Table(
    name="teaching_loads",
    noun="teaching load",
    select="SELECT r.* FROM teaching_loads r",
    order=(SortKey("r.id", "id", UUID),),
    build=_load,
)
ENROLMENTS = Table(
    name="enrolments",
    noun="enrolment",
    select="""
        SELECT r.*, l.name || ' ' || a.name AS class_arm_name FROM enrolments r
        JOIN class_arms a ON a.id = r.class_arm_id JOIN levels l ON l.id = a.level_id""",
    order=(SortKey("r.session_id", "session_id", UUID), SortKey("r.student_id", "student_id", UUID)),
    build=_enrolment,
)
ELECTIVES = Table(
    name="elective_choices",
    noun="elective choice",
    select="SELECT r.* FROM elective_choices r",
    order=(
        SortKey("r.session_id", "session_id", UUID),
        SortKey("r.student_id", "student_id", UUID),
        SortKey("r.subject_id", "subject_id", UUID),
    ),
    build=_elective,
)


async def add_consent(tx: Transaction, school_id: SchoolId, consent: Consent) -> None:
    """Append a consent."""
    await tx.execute(
        "INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_by, recorded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        school_id,
        consent.id,
        consent.guardian_id,
        consent.channel,
        consent.granted,
        consent.source,
        consent.recorded_by,
        consent.recorded_at,
    )


async def put_guardianship(tx: Transaction, school_id: SchoolId, link: Guardianship) -> None:
    """Make or change a guardianship."""
    await tx.execute(
        """
        INSERT INTO guardianships (school_id, guardian_id, student_id, relationship, receives_messages)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (school_id, guardian_id, student_id)
        DO UPDATE SET relationship = excluded.relationship, receives_messages = excluded.receives_messages
        """,
        school_id,
        link.guardian_id,
        link.student_id,
        link.relationship,
        link.receives_messages,
    )


async def delete_guardianship(tx: Transaction, guardian_id: GuardianId, student_id: StudentId) -> bool:
    """Remove a guardianship and tell whether it was there."""
    return (
        await tx.execute(
            "DELETE FROM guardianships WHERE guardian_id = $1 AND student_id = $2", guardian_id, student_id
        )
        == 1
    )


async def unknown_students(tx: Transaction, students: Sequence[StudentId]) -> list[UUID]:
    """Return which of these are no students of the school."""
    rows = await tx.fetch(
        "SELECT asked.id FROM unnest($1::uuid[]) AS asked (id)"
        " LEFT JOIN students s ON s.id = asked.id WHERE s.id IS NULL",
        list(students),
    )
    return [row["id"] for row in rows]


async def enrol(
    tx: Transaction, school_id: SchoolId, session_id: SessionId, class_arm_id: ClassArmId, students: Sequence[StudentId]
) -> tuple[int, int]:
    """Enrol students in an arm, moving those who are in another; return how many are new and how many moved."""
    rows = await tx.fetch(
        """
        WITH before AS (SELECT student_id FROM enrolments WHERE session_id = $2 AND student_id = ANY($4))
        INSERT INTO enrolments AS e (school_id, session_id, student_id, class_arm_id)
        SELECT $1, $2, student_id, $3 FROM unnest($4::uuid[]) AS asked (student_id)
        ON CONFLICT (school_id, session_id, student_id) DO UPDATE SET class_arm_id = excluded.class_arm_id
            WHERE e.class_arm_id <> excluded.class_arm_id
        RETURNING e.student_id IN (SELECT student_id FROM before) AS moved
        """,
        school_id,
        session_id,
        class_arm_id,
        list(students),
    )
    moved = sum(row["moved"] for row in rows)
    return len(rows) - moved, moved


async def drop_foreign_electives(tx: Transaction, session_id: SessionId, students: Sequence[StudentId]) -> int:
    """Remove choices of subjects that are no elective of the student's arm, and return how many."""
    return await tx.execute(
        """
        DELETE FROM elective_choices c USING enrolments e
        WHERE c.session_id = $1 AND c.student_id = ANY($2)
          AND e.session_id = c.session_id AND e.student_id = c.student_id
          AND NOT EXISTS (SELECT FROM teaching_loads t WHERE t.session_id = c.session_id AND t.elective
                          AND t.class_arm_id = e.class_arm_id AND t.subject_id = c.subject_id)
        """,
        session_id,
        list(students),
    )


async def has_marks(tx: Transaction, session_id: SessionId, student_id: StudentId) -> bool:
    """Tell whether a student has marks in a session."""
    there: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM marks m JOIN mark_sheets s ON s.id = m.sheet_id JOIN terms t ON t.id = s.term_id"
        " WHERE m.student_id = $2 AND t.session_id = $1)",
        session_id,
        student_id,
    )
    return there


async def delete_enrolment(tx: Transaction, session_id: SessionId, student_id: StudentId) -> bool:
    """Remove an enrolment with its elective choices and tell whether it was there."""
    return (
        await tx.execute("DELETE FROM enrolments WHERE session_id = $1 AND student_id = $2", session_id, student_id)
        == 1
    )


async def electives_offered(tx: Transaction, session_id: SessionId, class_arm_id: ClassArmId) -> frozenset[SubjectId]:
    """Return the elective subjects of an arm in a session."""
    rows = await tx.fetch(
        "SELECT subject_id FROM teaching_loads WHERE session_id = $1 AND class_arm_id = $2 AND elective",
        session_id,
        class_arm_id,
    )
    return frozenset(SubjectId(row["subject_id"]) for row in rows)


async def replace_electives(
    tx: Transaction,
    school_id: SchoolId,
    session_id: SessionId,
    student_id: StudentId,
    subjects: Sequence[SubjectId],
) -> None:
    """Make these a student's elective choices, and no others."""
    await tx.execute(
        "DELETE FROM elective_choices WHERE session_id = $1 AND student_id = $2 AND subject_id <> ALL($3)",
        session_id,
        student_id,
        list(subjects),
    )
    await tx.execute(
        "INSERT INTO elective_choices (school_id, session_id, student_id, subject_id)"
        " SELECT $1, $2, $3, unnest($4::uuid[]) ON CONFLICT DO NOTHING",
        school_id,
        session_id,
        student_id,
        list(subjects),
    )


async def load_has_marks(tx: Transaction, load: TeachingLoad) -> bool:
    """Tell whether there is a mark sheet for what a load teaches."""
    there: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM mark_sheets s JOIN terms t ON t.id = s.term_id"
        " WHERE t.session_id = $1 AND s.class_arm_id = $2 AND s.subject_id = $3)",
        load.session_id,
        load.class_arm_id,
        load.subject_id,
    )
    return there
