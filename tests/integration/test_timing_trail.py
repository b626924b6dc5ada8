"""What the trail says of messages that wait, fall back, or are told together."""

from datetime import UTC, datetime

import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.dead_letters import DeadLetters
from core.ids import StudentId
from core.notifications.fallback import FallBack
from core.notifications.model import Channel
from core.notifications.trail import Trail
from core.notifications.trail_records import DeliveryTrail
from tests.factories.notifications import ALL, fanned_out, scores_published
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import one_guardian, settle

EVENING = datetime(2027, 9, 13, 19, 30, tzinfo=UTC)  # 20:30 in Lagos


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school with two children of one guardian, a window and quiet nights."""
    made = await make_school(db, students=2)
    await settle(db, made)
    await one_guardian(db, made)
    return made


async def trail(
    db: PostgresDatabase, school: MadeSchool, student: StudentId, channel: Channel = Channel.SMS
) -> DeliveryTrail:
    """Return the trail of the only message about a child by a channel."""
    office, use = school.as_(Role.SCHOOL_ADMIN), Trail(db, DeadLetters(db))
    found = await use.deliveries(office, student_id=student, limit=50)
    (delivery,) = [each for each in found if each.channel is channel]
    return await use.trail(office, delivery_id=delivery.id)


async def test_waiting_is_told_with_the_hour(db: PostgresDatabase, school: MadeSchool) -> None:
    """By day others may join until 09:15 of the school's clocks; at night the message waits for 08:00."""
    first = school.students[0]
    await fanned_out(db, school, scores_published(school, (first,)), clock=FakeClock())
    told = await trail(db, school, first)
    assert told.delivery.explanation == "waiting for its first attempt: others may join it until 09:15"
    assert told.story[-1].said == told.delivery.explanation
    other = await make_school(db, students=1)
    await settle(db, other)
    await fanned_out(db, other, scores_published(other), clock=FakeClock(EVENING))
    told = await trail(db, other, other.students[0])
    assert told.delivery.explanation == "waiting for its first attempt: quiet hours until 08:00"


async def test_a_sibling_is_told_of_where_it_was_said(db: PostgresDatabase, school: MadeSchool) -> None:
    """The trail of the second child says that the message about the first tells it."""
    await fanned_out(db, school, scores_published(school), clock=FakeClock())
    explanations = {(await trail(db, school, student)).delivery.explanation for student in school.students}
    assert explanations == {
        "waiting for its first attempt: others may join it until 09:15",
        "not sent: it is told in the message about a sister or brother",
    }


async def test_a_fallback_says_from_what(db: PostgresDatabase, school: MadeSchool) -> None:
    """The mail after a lost SMS begins with why."""
    clock = FakeClock()
    await fanned_out(db, school, scores_published(school, school.students[:1]), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'dead', reason = 'not_on_network', died_at = $1, finished_at = $1,"
            " next_attempt_at = NULL WHERE channel = 'sms'",
            clock.now(),
        )
    await FallBack(db, clock, ALL).look()
    told = await trail(db, school, school.students[0], Channel.EMAIL)
    assert told.story[0].said.startswith("fell back from sms: the number is not on the network; planned for email to ")
