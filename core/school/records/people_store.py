"""The SQL of students, guardians and staff."""

from collections.abc import Sequence
from uuid import UUID

from core.access.principal import Principal, Role
from core.ids import ClassArmId, GuardianId, SessionId, StaffId, StudentId
from core.ports import Row, Transaction
from core.school.model import Channel, Child, Gender, Guardian, Language, Staff, Student
from core.school.records.table import SortKey, Table, Where, where

_BY_NAME = (
    SortKey("r.family_name", "family_name", str),
    SortKey("r.given_names", "given_names", str),
    SortKey("r.id", "id", UUID),
)


def _student(row: Row) -> Student:
    return Student(
        id=StudentId(row["id"]),
        student_no=row["student_no"],
        family_name=row["family_name"],
        given_names=row["given_names"],
        gender=Gender(row["gender"]),
        date_of_birth=row["date_of_birth"],
        left_on=row["left_on"],
        version=row["version"],
    )


def _guardian(row: Row) -> Guardian:
    return Guardian(
        id=GuardianId(row["id"]),
        title=row["title"],
        family_name=row["family_name"],
        given_names=row["given_names"],
        language=Language(row["language"]),
        phone=row["phone"],
        email=row["email"],
        channel_order=tuple(Channel(channel) for channel in row["channel_order"]),
        consented=tuple(Channel(channel) for channel in row["consented"]),
        version=row["version"],
    )


def _staff(row: Row) -> Staff:
    return Staff(
        id=StaffId(row["id"]),
        staff_no=row["staff_no"],
        title=row["title"],
        family_name=row["family_name"],
        given_names=row["given_names"],
        email=row["email"],
        phone=row["phone"],
        active=row["active"],
        roles=tuple(Role(role) for role in row["roles"] or ()),
        version=row["version"],
    )


STUDENTS = Table(
    name="students",
    noun="student",
    select="SELECT r.* FROM students r",
    order=_BY_NAME,
    build=_student,
)
GUARDIANS = Table(
    name="guardians",
    noun="guardian",
    select="""
        SELECT r.*, ARRAY(
            SELECT newest.channel FROM (
                SELECT DISTINCT ON (channel) channel, granted FROM consents c WHERE c.guardian_id = r.id
                ORDER BY channel, recorded_at DESC, id DESC
            ) newest WHERE newest.granted ORDER BY newest.channel
        ) AS consented
        FROM guardians r""",
    order=_BY_NAME,
    build=_guardian,
)
STAFF = Table(
    name="staff",
    noun="member of staff",
    select="SELECT r.*, u.roles FROM staff r LEFT JOIN users u ON u.staff_id = r.id",
    order=_BY_NAME,
    build=_staff,
)


def named(text: str) -> Where:
    """Return the condition that a person's name holds all the words, whatever their accents and case."""
    words = [f"%{_escaped(word)}%" for word in text.split()]
    return where("folded(r.family_name || ' ' || r.given_names) LIKE ALL (SELECT folded(unnest({}::text[])))", words)


def named_or_numbered(column: str, text: str) -> Where:
    """Return the condition that a person's name holds all the words, or the number the text."""
    by_name = named(text)
    return where(f"({by_name.sql} OR lower(r.{column}) LIKE lower({{}}))", *by_name.values, f"%{_escaped(text)}%")


def in_session(session_id: SessionId | None, class_arm_id: UUID | None) -> Where:
    """Return the condition that a student is enrolled in the session, and in the arm where one is given."""
    return where(
        "EXISTS (SELECT FROM enrolments e WHERE e.student_id = r.id AND e.session_id = {}"
        " AND e.class_arm_id = coalesce({}, e.class_arm_id))",
        session_id,
        class_arm_id,
    )


def of_student(student_id: StudentId) -> Where:
    """Return the condition that a guardian stands for the student."""
    return where("EXISTS (SELECT FROM guardianships g WHERE g.guardian_id = r.id AND g.student_id = {})", student_id)


async def own_students(tx: Transaction, principal: Principal) -> list[StudentId]:
    """Return the students a guardian stands for, or the student who asks."""
    rows = await tx.fetch(
        "SELECT student_id FROM guardianships WHERE guardian_id = $1 UNION SELECT id FROM students WHERE id = $2",
        principal.guardian_id,
        principal.student_id,
    )
    return [StudentId(row["student_id"]) for row in rows]


async def children(tx: Transaction, guardian_id: GuardianId, session_id: SessionId | None) -> Sequence[Child]:
    """Return the students a guardian stands for, by name, each with the arm of the session."""
    rows = await tx.fetch(
        """
        SELECT r.*, g.relationship, g.receives_messages, a.id AS class_arm_id, l.name || ' ' || a.name AS class_arm_name
        FROM guardianships g JOIN students r ON r.id = g.student_id
        LEFT JOIN enrolments e ON e.student_id = r.id AND e.session_id = $2
        LEFT JOIN class_arms a ON a.id = e.class_arm_id
        LEFT JOIN levels l ON l.id = a.level_id
        WHERE g.guardian_id = $1 ORDER BY r.family_name, r.given_names, r.id
        """,
        guardian_id,
        session_id,
    )
    return [
        Child(
            student=_student(row),
            relationship=row["relationship"],
            receives_messages=row["receives_messages"],
            class_arm_id=ClassArmId(row["class_arm_id"]) if row["class_arm_id"] else None,
            class_arm_name=row["class_arm_name"],
        )
        for row in rows
    ]


async def contacts_in_charge(
    tx: Transaction, staff_id: StaffId | None, guardians: Sequence[GuardianId], session_id: SessionId | None
) -> frozenset[GuardianId]:
    """Return which guardians have a child this session in an arm whose class teacher this member of staff is."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT g.guardian_id FROM guardianships g
        JOIN enrolments e ON e.student_id = g.student_id AND e.session_id = $3
        JOIN class_arms a ON a.id = e.class_arm_id AND a.class_teacher_id = $1
        WHERE g.guardian_id = ANY($2)
        """,
        staff_id,
        list(guardians),
        session_id,
    )
    return frozenset(GuardianId(row["guardian_id"]) for row in rows)


async def roles_of(tx: Transaction, staff_id: StaffId) -> frozenset[Role]:
    """Return the roles of a member of staff's account."""
    roles: list[str] | None = await tx.fetchval("SELECT roles FROM users WHERE staff_id = $1", staff_id)
    return frozenset(Role(role) for role in roles or ())


async def has_admin(tx: Transaction) -> bool:
    """Tell whether an active account administers the school."""
    there: bool = await tx.fetchval("SELECT EXISTS (SELECT FROM users WHERE 'school_admin' = ANY(roles) AND active)")
    return there


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
