"""Old messages lose address and words, then go, as the school's policy says."""

from datetime import timedelta

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.notifications.model import Channel
from core.notifications.retention import Retention
from core.school.model import PolicyKind
from tests.factories.notifications import attendance_marked, delivering, fanned_out, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.timing import settle

WEEK = timedelta(days=7)


async def sent(db: PostgresDatabase, clock: FakeClock) -> MadeSchool:
    """Return a school in which one absence was told."""
    school = await make_school(db, students=1)
    await settle(db, school, PolicyKind.MESSAGE_RETENTION, stripAfterDays=7, deleteAfterDays=14)
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    async with delivering(db, {Channel.SMS: FakeSender()}, clock=clock):
        await settled(db, school)
    return school


async def counts(db: PostgresDatabase, school: MadeSchool) -> tuple[int, int, int, int]:
    """Return how many deliveries, addresses, attempts and bell entries are kept."""
    async with db.tenant(school.id) as tx:
        row = await tx.fetchrow(
            "SELECT count(*) AS kept, count(address) AS addresses,"
            " (SELECT count(*) FROM delivery_attempts) AS attempts,"
            " (SELECT count(*) FROM notifications) AS bells FROM deliveries WHERE state = 'sent'"
        )
    assert row is not None
    return row["kept"], row["addresses"], row["attempts"], row["bells"]


async def test_messages_are_stripped_and_then_deleted(db: PostgresDatabase) -> None:
    """By the school's policy a message is whole for a week, without address and words for another, and then gone."""
    clock = FakeClock()
    school = await sent(db, clock)
    retention = Retention(db, clock)
    await retention.apply()
    assert await counts(db, school) == (2, 1, 2, 1)
    clock.advance(WEEK + timedelta(hours=1))
    await retention.apply()
    assert await counts(db, school) == (2, 0, 2, 0)
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'sent' AND content <> '{}'") == 0
    await retention.apply()
    clock.advance(WEEK)
    await retention.apply()
    assert await counts(db, school) == (0, 0, 0, 0)


async def test_another_school_keeps_its_own_time(db: PostgresDatabase) -> None:
    """Without a policy of its own a school keeps messages whole for 180 days, whatever others do."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    async with delivering(db, {Channel.SMS: FakeSender()}, clock=clock):
        await settled(db, school)
    clock.advance(timedelta(days=179))
    await Retention(db, clock).apply()
    assert await counts(db, school) == (2, 1, 2, 1)
    clock.advance(timedelta(days=2))
    await Retention(db, clock).apply()
    assert await counts(db, school) == (2, 0, 2, 0)


async def test_what_is_still_to_be_sent_is_kept(db: PostgresDatabase) -> None:
    """A message that waits is never removed, however old."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    clock.advance(timedelta(days=2000))
    await Retention(db, clock).apply()
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'queued' AND content <> '{}'") == 2
