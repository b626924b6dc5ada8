"""What guardians are told when cards are published."""

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.types import ReportsPublished
from core.ids import JobId, StudentId, new_id
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from tests.factories.notifications import fanned_out
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import one_guardian, settle


def published(school: MadeSchool, *students: StudentId) -> ReportsPublished:
    """Return the event of cards being published."""
    return ReportsPublished(
        job_id=JobId(new_id()),
        session_id=school.session,
        session_name="2027/2028",
        term_id=school.terms[0],
        term_name="First Term",
        student_ids=students,
        timestamp=FakeClock().now(),
    )


async def sms_of(db: PostgresDatabase, school: MadeSchool) -> list[str]:
    """Return the SMS that wait, as they would be sent."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT * FROM deliveries WHERE channel = 'sms' AND state = 'queued' ORDER BY id")
    render = Templates().render
    return [render(row["event_type"], Channel.SMS, row["language"], row["content"]).body for row in rows]


async def test_a_guardian_of_two_gets_one_message(db: PostgresDatabase) -> None:
    """Where the school lets messages wait for each other, cards of sister and brother are one SMS, also by classes."""
    school, clock = await make_school(db, students=2), FakeClock()
    await settle(db, school)
    await one_guardian(db, school)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE students SET given_names = 'Adé' WHERE id = $1", school.students[1])
    await fanned_out(db, school, published(school, school.students[0]), clock=clock)
    await fanned_out(db, school, published(school, *school.students), clock=clock)
    (text,) = await sms_of(db, school)
    assert "the report card of Adé, Tọ́lá" in text
    assert text.endswith("for First Term 2027/2028. Sign in to the portal to download it.")


async def test_without_a_window_each_child_is_told_of_at_once(db: PostgresDatabase) -> None:
    """Where nothing waits, there is a message for each child."""
    school, clock = await make_school(db, students=2), FakeClock()
    await settle(db, school, holdBackMinutes=0)
    await fanned_out(db, school, published(school, *school.students), clock=clock)
    assert len(await sms_of(db, school)) == 2
