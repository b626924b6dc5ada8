"""Old messages lose address and words, then go, as the school's policy says."""

from datetime import timedelta
from uuid import UUID

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.notifications.model import Channel
from core.notifications.retention import Retention
from core.school.model import PolicyKind
from tests.factories.notifications import attendance_marked, delivering, emitted, fanned_out, settled
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


GROWN = """
WITH endpoint AS (
    INSERT INTO webhook_endpoints (school_id, id, url, event_types, created_at)
    VALUES ($1, gen_random_uuid(), 'https://elsewhere.example', ARRAY['fee.reminder'], $2) RETURNING id
), told AS (
    INSERT INTO webhook_messages (school_id, id, endpoint_id, source_id, event_type, data, state, occurred_at,
                                  created_at, finished_at, next_attempt_at)
    SELECT $1, gen_random_uuid(), endpoint.id, gen_random_uuid(), 'fee.reminder', '{}', way.state, $2, $2, way.ended,
           CASE WHEN way.ended IS NULL THEN $2 END
    FROM endpoint, (VALUES ('sent', $2), ('queued', NULL)) AS way (state, ended)
    RETURNING id
), tried AS (
    INSERT INTO webhook_attempts (school_id, message_id, number, worker, started_at, finished_at, outcome)
    SELECT $1, id, 1, 'w', $2, $2, 'taken' FROM told
)
INSERT INTO absence_reasons (school_id, register_id, student_id, recipient_id, delivery_id, reason, given_at)
SELECT $1, $3, d.student_id, d.recipient_id, d.id, 'sick', $2 FROM deliveries d WHERE d.channel = 'sms'
"""
KEPT = """
SELECT (SELECT count(*) FROM webhook_messages), (SELECT count(*) FROM webhook_attempts),
       (SELECT count(*) FROM absence_reasons), (SELECT count(*) FROM outbox)
"""


async def test_what_grows_beside_messages_goes_too(db: PostgresDatabase) -> None:
    """Webhooks that ended, reasons for absences and handled events go by the policy; what waits stays."""
    clock = FakeClock()
    school = await sent(db, clock)
    await settle(
        db, school, PolicyKind.MESSAGE_RETENTION, webhooksAfterDays=10, absenceReasonsAfterDays=20, eventsAfterDays=30
    )
    waiting = await emitted(db, school, attendance_marked(school, absent=school.students), clock)
    register = await a_register(db, school)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE outbox SET handled_at = $1 WHERE id <> $2", clock.now(), waiting.id)
        await tx.execute(GROWN, school.id, clock.now(), register)
    for days, expected in ((9, (2, 2, 1, 2)), (2, (1, 1, 1, 2)), (10, (1, 1, 0, 2)), (10, (1, 1, 0, 1))):
        clock.advance(timedelta(days=days))
        await Retention(db, clock).apply()
        async with db.tenant(school.id) as tx:
            row = await tx.fetchrow(KEPT)
        assert row is not None
        assert tuple(row.values()) == expected


async def a_register(db: PostgresDatabase, school: MadeSchool) -> UUID:
    """Return a day's register of the class."""
    async with db.tenant(school.id) as tx:
        register: UUID = await tx.fetchval(
            "INSERT INTO attendance_registers (school_id, id, class_arm_id, day) VALUES"
            " ($1, gen_random_uuid(), $2, current_date) RETURNING id",
            school.id,
            school.arms[0],
        )
    return register
