"""What is lost on one channel goes on by the next of the guardian's order, once, and never against their word."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.errors import SchoolOSError
from core.ids import EventId
from core.notifications.explanation import why
from core.notifications.fallback import FallBack
from core.notifications.model import Channel, OutgoingMessage, Reason
from core.notifications.ports import refusal
from core.ports import Row
from core.school.model import PolicyKind
from tests.factories.notifications import (
    ALL,
    attendance_marked,
    delivering,
    fanned_out,
    fee_reminder,
    scores_published,
    settled,
)
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.timing import settle


@pytest.fixture
def clock() -> FakeClock:
    """A Monday morning."""
    return FakeClock()


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of one student, whose guardian prefers SMS, then mail."""
    return await make_school(db, students=1)


async def lose(db: PostgresDatabase, school: MadeSchool, channel: str, reason: Reason, at: datetime) -> None:
    """Let what waits for a channel die of a reason."""
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'dead', reason = $2, died_at = $3, finished_at = $3, next_attempt_at = NULL"
            " WHERE channel = $1 AND state = 'queued'",
            channel, reason, at,
        )  # fmt: skip


async def ways(db: PostgresDatabase, school: MadeSchool, event_id: EventId | None = None) -> Mapping[str, Row]:
    """Return a school's deliveries by channel, the bell left out."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch(
            "SELECT * FROM deliveries WHERE channel <> 'push' AND ($1::uuid IS NULL OR event_id = $1)", event_id
        )
    return {row["channel"]: row for row in rows}


def looking(db: PostgresDatabase, clock: FakeClock) -> FallBack:
    """Return one that looks for losses, with every provider set up."""
    return FallBack(db, clock, ALL)


async def test_a_number_off_the_network_is_followed_by_mail(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """The mail carries the same facts, and the trail says from what it fell back (C-14)."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "sms", Reason.NOT_ON_NETWORK, clock.now())
    await looking(db, clock).look()
    found = await ways(db, school)
    mail = found["email"]
    assert (mail["state"], mail["address"], mail["content"]) == (
        "queued", f"guardian1@{school.code}.example", found["sms"]["content"],
    )  # fmt: skip
    told = why(mail["state"], mail["reason"], "email", fell_back_from=mail["fell_back_from"])
    assert told == "waiting for its first attempt; fell back from sms: the number is not on the network"


async def test_many_who_look_at_once_send_one_mail(db: PostgresDatabase, clock: FakeClock) -> None:
    """Five workers and a second look make one fallback for each loss."""
    school = await make_school(db, students=30)
    await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "sms", Reason.BAD_ADDRESS, clock.now())
    await asyncio.gather(*(looking(db, clock).look() for _ in range(5)))
    assert await looking(db, clock).look() == 0
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE channel = 'email'") == 30


OBSTACLES = {
    "opted out": """
        INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)
        SELECT gen_random_uuid(), school_id, id, 'email', 'scores.published', false FROM users
        WHERE guardian_id IS NOT NULL""",
    "no consent": """
        INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_at)
        SELECT school_id, gen_random_uuid(), id, 'email', false, 'portal', now() + interval '10 years' FROM guardians
        """,
    "no address": "UPDATE guardians SET email = NULL",
    "bad address": """
        INSERT INTO bad_addresses (school_id, recipient_id, channel, address, reason, delivery_id, since)
        SELECT g.school_id, u.id, 'email', g.email, 'bad_address', gen_random_uuid(), now()
        FROM guardians g JOIN users u ON u.guardian_id = g.id""",
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_a_channel_that_may_not_be_used_is_not_fallen_back_to(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock, obstacle: str
) -> None:
    """What the guardian refused meanwhile, or can't be reached by, stays unused."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(OBSTACLES[obstacle])
    await lose(db, school, "sms", Reason.NOT_ON_NETWORK, clock.now())
    assert await looking(db, clock).look() >= 1
    assert set(await ways(db, school)) == {"sms"}


async def test_the_order_is_the_guardians(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """After mail comes SMS where it stands behind it; after the bell, which has the message, comes nothing."""
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['email', 'sms']")
    await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "email", Reason.REJECTED, clock.now())
    await looking(db, clock).look()
    assert (await ways(db, school))["sms"]["state"] == "queued"

    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['sms', 'push', 'email']")
    event = await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "sms", Reason.REJECTED, clock.now())
    await looking(db, clock).look()
    assert set(await ways(db, school, event.id)) == {"sms"}


async def test_when_the_last_channel_is_lost_too_it_ends(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """SMS, then mail, then no circle back to SMS."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "sms", Reason.TIMED_OUT, clock.now())
    await looking(db, clock).look()
    await lose(db, school, "email", Reason.BAD_ADDRESS, clock.now())
    await looking(db, clock).look()
    assert {channel: row["state"] for channel, row in (await ways(db, school)).items()} == {
        "sms": "dead",
        "email": "dead",
    }


async def test_a_report_of_non_delivery_counts_as_a_loss(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """An SMS the provider took and the network could not deliver is followed by mail."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'sent', next_attempt_at = NULL, finished_at = $1,"
            " receipt_state = 'undelivered', receipt_reason = 'not_on_network' WHERE channel = 'sms'",
            clock.now(),
        )
    await looking(db, clock).look()
    assert (await ways(db, school))["email"]["fell_back_from"] == "sms:not_on_network"


async def test_what_another_channel_can_not_mend_or_tell_in_time_stays(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """A message that can't be worded, or is days old, goes nowhere else."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    await lose(db, school, "sms", Reason.UNRENDERABLE, clock.now())
    await fanned_out(db, school, scores_published(school), clock=clock)
    clock.advance(timedelta(days=3))
    await lose(db, school, "sms", Reason.REJECTED, clock.now())
    await looking(db, clock).look()
    assert set(await ways(db, school)) == {"sms"}


async def test_a_fallback_heeds_the_night(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """What is lost in the evening is told by mail in the morning; an absence is told at once."""
    await settle(db, school, holdBackMinutes=0)
    results = await fanned_out(db, school, scores_published(school), clock=clock)
    absence = await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    clock.advance(timedelta(hours=13))
    await lose(db, school, "sms", Reason.TIMED_OUT, clock.now())
    await looking(db, clock).look()
    mail = (await ways(db, school, results.id))["email"]
    assert (mail["reason"], mail["next_attempt_at"] - clock.now()) == (Reason.QUIET_HOURS, timedelta(hours=10))
    assert (await ways(db, school, absence.id))["email"]["next_attempt_at"] == clock.now()


async def test_sms_is_fallen_back_to_only_within_the_budget(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """With the month's budget used up only an urgent message is paid for."""
    await settle(db, school, PolicyKind.SMS_BUDGET, monthlyKobo=0)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['email', 'sms']")
    await settle(db, school, holdBackMinutes=0, quietHours=None)
    reminder = await fanned_out(db, school, fee_reminder(school, school.students), clock=clock)
    absence = await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    await lose(db, school, "email", Reason.BAD_ADDRESS, clock.now())
    await looking(db, clock).look()
    assert set(await ways(db, school, reminder.id)) == {"email"}
    assert set(await ways(db, school, absence.id)) == {"email", "sms"}


async def test_the_mail_arrives_after_the_sms_was_refused(db: PostgresDatabase, school: MadeSchool) -> None:
    """End to end: the worker's refusal, the look, and the mail that is sent."""

    def refused(_: OutgoingMessage) -> SchoolOSError:
        return refusal("403", Reason.NOT_ON_NETWORK)

    mail = FakeSender()
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: FakeSender(refused), Channel.EMAIL: mail}) as loop:
        await settled(db, school)
        await FallBack(db, SystemClock(), ALL, wake=loop.wake).look()
        assert await settled(db, school) == {("sms", "dead"): 1, ("push", "sent"): 1, ("email", "sent"): 1}
    assert [message.address for message in mail.taken.values()] == [f"guardian1@{school.code}.example"]
