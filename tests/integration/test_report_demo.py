"""The demo school's cards: whole, and with words on them."""

from datetime import UTC, datetime

import pytest

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import SessionId, StudentId, TermId
from core.reports.preflight import Preflight
from core.reports.snapshots import Snapshots
from core.school.simulator.service import DemoSchool, DemoSchools
from tests.factories.http import make_principal

NOW = datetime(2028, 6, 1, 8, 0, tzinfo=UTC)


async def _hash(password: str) -> str:
    return password


@pytest.fixture(scope="module")
async def demo(db: PostgresDatabase) -> DemoSchool:
    """A demo school of some classes."""
    return await DemoSchools(db, FakeClock(NOW), _hash).create(seed=3, students=72)


async def terms(db: PostgresDatabase, demo: DemoSchool) -> list[tuple[SessionId, TermId, list[StudentId]]]:
    """Return the last two terms with marks, oldest first, and who is enrolled."""
    async with db.tenant(demo.school_id) as tx:
        rows = await tx.fetch(
            "SELECT t.session_id, t.id, (SELECT array_agg(e.student_id ORDER BY e.student_id) FROM enrolments e"
            " JOIN students s ON s.id = e.student_id"
            " WHERE e.session_id = t.session_id AND (s.left_on IS NULL OR s.left_on > t.ends_on)) AS students"
            " FROM terms t WHERE EXISTS (SELECT FROM mark_sheets m WHERE m.term_id = t.id)"
            " ORDER BY t.starts_on DESC LIMIT 2"
        )
    return [(row["session_id"], row["id"], list(row["students"])) for row in rows][::-1]


def principal(demo: DemoSchool) -> Principal:
    """Return the school's principal."""
    return make_principal(demo.school_id, Role.PRINCIPAL)


async def test_every_card_of_the_last_whole_term_can_be_made(db: PostgresDatabase, demo: DemoSchool) -> None:
    """Nothing blocks a card of the term gone by, and each has marks, remarks, ratings, attendance and a past."""
    session_id, term_id, students = (await terms(db, demo))[0]
    snapshots = Snapshots(db, FakeClock(NOW))
    done = await snapshots.finalise(principal(demo), student_ids=students, session_id=session_id, term_id=term_id)
    assert (len(done.snapshots), done.blocked) == (len(students), ())
    async with db.tenant(demo.school_id) as tx:
        cards = await snapshots.load(tx, [each.id for each in done.snapshots])
    for card in cards:
        assert len(card.subjects) >= 8
        assert all(line.teacher_remark for line in card.subjects)
        assert card.class_teacher_remark
        assert card.principal_remark
        assert len(card.ratings) == 14
        assert card.attendance
        assert card.next_term_begins
        assert card.overall_average is not None
    assert sum(len(card.trend) > 1 for card in cards) > len(cards) / 2
    assert all(card.principal for card in cards)


async def test_the_running_term_still_lacks_things(db: PostgresDatabase, demo: DemoSchool) -> None:
    """A pre-flight of the running term finds sheets, remarks and and ratings."""
    _, term_id, students = (await terms(db, demo))[1]
    checked = await Preflight(db).check(principal(demo), term_id=term_id, student_ids=students)
    assert {lack.what for lack in checked.lacks} >= {"approval", "class_teacher_remark", "ratings", "photo"}
    assert all(lack.where and lack.sentence for lack in checked.lacks)
