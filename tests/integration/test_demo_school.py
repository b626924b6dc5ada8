"""The demo school as it lies in the database."""

from datetime import UTC, datetime

import pytest

from core.access.passwords import Passwords
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Conflict, InvalidInput
from core.school.simulator.service import DemoSchool, DemoSchools

NOW = datetime(2028, 6, 1, 8, 0, tzinfo=UTC)


async def _hash(password: str) -> str:
    return f"hash of {password}"


@pytest.fixture(scope="module")
async def demo(db: PostgresDatabase) -> DemoSchool:
    """A small demo school."""
    return await DemoSchools(db, FakeClock(NOW), _hash).create(seed=3, students=72, password="harmattan")


async def test_history_reaches_from_the_first_term_to_the_current(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Eight terms are published whole, and the ninth has sheets in every state."""
    async with db.tenant(demo.school_id) as tx:
        rows = await tx.fetch(
            "SELECT t.closed_at IS NULL AS current, array_agg(DISTINCT s.state ORDER BY s.state) AS states,"
            " count(DISTINCT t.id) AS terms FROM mark_sheets s JOIN terms t ON t.id = s.term_id GROUP BY 1 ORDER BY 1"
        )
    assert [(row["current"], row["terms"], row["states"]) for row in rows] == [
        (False, 8, ["published"]),
        (True, 1, ["approved", "draft", "published", "submitted"]),
    ]


async def test_nothing_lies_in_the_future(db: PostgresDatabase, demo: DemoSchool) -> None:
    """No register, step, mark or payment is of today or later."""
    async with db.tenant(demo.school_id) as tx:
        latest = await tx.fetchval(
            "SELECT greatest((SELECT max(at) FROM mark_sheet_steps), (SELECT max(updated_at) FROM marks),"
            " (SELECT max(day) FROM attendance_registers), (SELECT max(paid_on) FROM payments))"
        )
    assert latest < NOW


async def test_history_tells_nobody(db: PostgresDatabase, demo: DemoSchool) -> None:
    """What was before causes no event, so that no guardian gets three years of messages."""
    async with db.tenant(demo.school_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0


async def test_every_recorded_mark_is_of_one_who_takes_the_subject(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Marks are only of students in the arm who take the subject, and every one has its audit row."""
    async with db.tenant(demo.school_id) as tx:
        strays = await tx.fetchval(
            "SELECT count(*) FROM marks m JOIN mark_sheets s ON s.id = m.sheet_id JOIN terms t ON t.id = s.term_id"
            " JOIN teaching_loads l ON (l.session_id, l.class_arm_id, l.subject_id)"
            " = (t.session_id, s.class_arm_id, s.subject_id)"
            " LEFT JOIN enrolments e ON (e.session_id, e.student_id, e.class_arm_id)"
            " = (t.session_id, m.student_id, s.class_arm_id)"
            " LEFT JOIN elective_choices c ON (c.session_id, c.student_id, c.subject_id)"
            " = (t.session_id, m.student_id, s.subject_id)"
            " WHERE e.student_id IS NULL OR (l.elective AND c.student_id IS NULL)"
        )
        audited = await tx.fetchval("SELECT count(*) FROM mark_audit")
    assert strays == 0
    assert audited == demo.counts["marks"] > 10_000


async def test_registers_hold_the_whole_class(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Each register has a row for each student enrolled in the arm that session."""
    async with db.tenant(demo.school_id) as tx:
        wrong = await tx.fetchval(
            "SELECT count(*) FROM attendance_registers r JOIN terms t ON r.day BETWEEN t.starts_on AND t.ends_on"
            " WHERE (SELECT count(*) FROM attendance a WHERE a.register_id = r.id) <>"
            " (SELECT count(*) FROM enrolments e"
            " WHERE (e.session_id, e.class_arm_id) = (t.session_id, r.class_arm_id))"
        )
        registers = await tx.fetchval("SELECT count(*) FROM attendance_registers")
    assert wrong == 0
    assert registers > 1_000


async def test_only_the_demos_logins_have_a_password(db: PostgresDatabase, demo: DemoSchool) -> None:
    """One account for each role can be logged in to; the others wait for an invitation."""
    async with db.tenant(demo.school_id) as tx:
        rows = await tx.fetch("SELECT username, roles FROM users WHERE password_hash IS NOT NULL ORDER BY username")
    assert [row["username"] for row in rows] == sorted(login.username for login in demo.logins)
    roles = {row["username"]: row["roles"] for row in rows}
    assert all(login.role in roles[login.username] for login in demo.logins)
    assert {login.role for login in demo.logins} >= {Role.PRINCIPAL, Role.GUARDIAN, Role.STUDENT, Role.BURSAR}


async def test_the_open_sheet_waits_for_these_students(db: PostgresDatabase, demo: DemoSchool) -> None:
    """The open sheet is a draft without marks, and its marks are for exactly the students of the arm."""
    async with db.tenant(demo.school_id) as tx:
        state = await tx.fetchval("SELECT state FROM mark_sheets WHERE id = $1", demo.open_sheet.id)
        marked = await tx.fetchval("SELECT count(*) FROM marks WHERE sheet_id = $1", demo.open_sheet.id)
        students = await tx.fetch(
            "SELECT e.student_id FROM mark_sheets s JOIN terms t ON t.id = s.term_id"
            " JOIN enrolments e ON (e.session_id, e.class_arm_id) = (t.session_id, s.class_arm_id) WHERE s.id = $1",
            demo.open_sheet.id,
        )
    assert (state, marked) == ("draft", 0)
    assert {student for student, _ in demo.open_sheet.marks} == {row["student_id"] for row in students}


async def test_a_second_time_nothing_is_made(db: PostgresDatabase, demo: DemoSchool) -> None:
    """A year later the school is returned as it was, and its logins get the password that is given."""
    later = FakeClock(NOW.replace(year=2029))
    again = await DemoSchools(db, later, _hash).create(seed=3, students=72, password="rainy season")
    assert again.created is False
    assert (again.school_id, again.logins, again.open_sheet) == (demo.school_id, demo.logins, demo.open_sheet)
    assert again.counts == demo.counts
    async with db.tenant(demo.school_id) as tx:
        hashes = await tx.fetch("SELECT DISTINCT password_hash AS hash FROM users WHERE password_hash IS NOT NULL")
    assert [row["hash"] for row in hashes] == ["hash of rainy season"]


async def test_a_school_of_another_recipe_is_not_taken_for_it(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Asking for another world under a code that is taken is refused and changes nothing."""
    with pytest.raises(Conflict, match="another school"):
        await DemoSchools(db, FakeClock(NOW), _hash).create(world="shock-term", seed=3, code=demo.code, students=72)


async def test_several_schools_live_side_by_side(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Another code makes a school of its own, whose rows the first does not see."""
    passwords = Passwords()
    other = await DemoSchools(db, FakeClock(NOW), passwords.hash).create(
        world="small-rural", seed=3, code="demo-0002", students=36
    )
    assert other.school_id != demo.school_id
    async with db.tenant(other.school_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM students") == other.counts["students"]
        hashed = await tx.fetchval("SELECT max(password_hash) FROM users")
    assert await passwords.matches(hashed, other.password)
    passwords.close()


async def test_a_size_out_of_bounds_is_refused(db: PostgresDatabase) -> None:
    """Too few students for six levels are refused before anything is made."""
    with pytest.raises(InvalidInput, match="36 to 5,000"):
        await DemoSchools(db, FakeClock(NOW), _hash).create(code="tiny", students=6)
