"""Quiet hours on a real database: what is fanned out, retried or late at night leaves in the morning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Unavailable
from core.notifications import delivery_store
from core.notifications.explanation import why
from core.notifications.lifecycle import RetryPolicy, Try
from core.notifications.model import Channel, Delivery, Reason
from core.notifications.quiet_hours import Night
from core.ports import Row
from tests.factories.notifications import attendance_marked, fanned_out, fee_reminder, room, scores_published
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import settle

EVENING = datetime(2027, 9, 13, 19, 30, tzinfo=UTC)  # 20:30 in Lagos
MORNING = datetime(2027, 9, 14, 7, tzinfo=UTC)
LEASE = timedelta(seconds=15)


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of one student with quiet nights, where nothing waits by day."""
    made = await make_school(db, students=1)
    await settle(db, made, holdBackMinutes=0)
    return made


async def by_channel(db: PostgresDatabase, school: MadeSchool) -> dict[str, Row]:
    """Return a school's deliveries."""
    async with db.tenant(school.id) as tx:
        return {row["channel"]: row for row in await tx.fetch("SELECT * FROM deliveries")}


async def claimed(db: PostgresDatabase, school: MadeSchool, now: datetime) -> Sequence[Delivery]:
    """Let a worker take all the SMS that are due; return this school's."""
    async with db.dispatch() as tx:
        own = await delivery_store.claim_due(tx, room(Channel.SMS, count=99), worker="w", now=now, lease=LEASE)
    return [each for each in own if each.school_id == school.id]


async def test_what_is_published_at_night_leaves_in_the_morning(db: PostgresDatabase, school: MadeSchool) -> None:
    """An SMS of 20:30 is due at 08:00 with the reason in words; the bell has it at once."""
    await fanned_out(db, school, scores_published(school), clock=FakeClock(EVENING))
    rows = await by_channel(db, school)
    sms = rows["sms"]
    assert (sms["next_attempt_at"], sms["reason"]) == (MORNING, Reason.QUIET_HOURS)
    told = why(sms["state"], sms["reason"], "sms", until=sms["next_attempt_at"], zone=sms["time_zone"])
    assert told == "waiting for its first attempt: quiet hours until 08:00"
    assert rows["push"]["next_attempt_at"] == EVENING
    assert await claimed(db, school, MORNING - timedelta(seconds=1)) == []
    assert len(await claimed(db, school, MORNING)) == 1


async def test_an_absence_is_told_at_night_too(db: PostgresDatabase, school: MadeSchool) -> None:
    """Urgent messages pass."""
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=FakeClock(EVENING))
    assert len(await claimed(db, school, EVENING)) == 1


async def test_what_comes_out_of_a_long_queue_at_night_is_put_off(db: PostgresDatabase, school: MadeSchool) -> None:
    """A message due at 19:59 that no worker came to before 20:00 waits for the morning."""
    day = EVENING - timedelta(minutes=31)
    await fanned_out(db, school, scores_published(school), clock=FakeClock(day))
    assert await claimed(db, school, EVENING) == []
    sms = (await by_channel(db, school))["sms"]
    assert (sms["state"], sms["next_attempt_at"], sms["reason"]) == ("queued", MORNING, Reason.QUIET_HOURS)


async def test_a_retry_respects_the_night(db: PostgresDatabase, school: MadeSchool) -> None:
    """An attempt that failed at 19:59:58 is not tried again at 20:00:03 but at 08:00."""
    last = EVENING - timedelta(minutes=30, seconds=2)
    await fanned_out(db, school, scores_published(school), clock=FakeClock(last))
    (own,) = await claimed(db, school, last)
    policy = RetryPolicy((timedelta(seconds=5),))
    async with db.dispatch() as tx:
        await delivery_store.mark_sending(tx, [own], worker="w", now=last, lease=LEASE, at_least=LEASE)
        failed = Try(own, "fake", last).failed(Unavailable("down"), policy, last)
        assert await delivery_store.record(tx, [failed], worker="w") == {own.id}
    assert await claimed(db, school, last + timedelta(seconds=6)) == []
    sms = (await by_channel(db, school))["sms"]
    assert (sms["state"], sms["next_attempt_at"]) == ("retry", MORNING)
    told = why(sms["state"], sms["reason"], "sms", until=sms["next_attempt_at"], zone=sms["time_zone"])
    assert told.endswith("quiet hours until 08:00")
    assert len(await claimed(db, school, MORNING)) == 1


async def test_another_zone_has_another_night(db: PostgresDatabase, school: MadeSchool) -> None:
    """A school in London publishes at 19:30 of its own clocks, and its messages leave."""
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE schools SET time_zone = 'Europe/London'")
    await fanned_out(db, school, scores_published(school), clock=FakeClock(EVENING - timedelta(hours=1)))
    assert len(await claimed(db, school, EVENING - timedelta(hours=1))) == 1


async def test_promotional_messages_spare_do_not_disturb_numbers(db: PostgresDatabase, school: MadeSchool) -> None:
    """A number that was once refused as do-not-disturb gets no promotional SMS, but mail; other kinds go on."""
    await settle(db, school, holdBackMinutes=0, quietHours=None, promotional=["fee.reminder"])
    clock = FakeClock()
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'dead', died_at = $1, next_attempt_at = NULL, reason = 'do_not_disturb'"
            " WHERE channel = 'sms'",
            clock.now(),
        )
    reminder = await fanned_out(db, school, fee_reminder(school, school.students), clock=clock)
    absence = await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT event_id, channel, coalesce(reason, state) AS told FROM deliveries")
    told = {(row["event_id"], row["channel"]): row["told"] for row in rows}
    assert (told[reminder.id, "sms"], told[reminder.id, "email"]) == ("do_not_disturb", "queued")
    assert told[absence.id, "sms"] == "queued"


async def test_database_and_code_agree_about_the_night(db: PostgresDatabase) -> None:
    """For every quarter of an hour of the weeks in which clocks change, both tell the same morning."""
    weeks = (datetime(2027, 3, 10, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC), datetime(2027, 10, 28, tzinfo=UTC))
    moments = [week + timedelta(minutes=15 * step) for week in weeks for step in range(8 * 96)]
    zones = ("Africa/Lagos", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
    night = Night(time(20, 30), time(7, 45), zones[0])
    async with db.dispatch() as tx:
        for zone in zones:
            rows = await tx.fetch(
                "SELECT quiet_until(m, $2, $3, $4) AS morning FROM unnest($1::timestamptz[]) AS m",
                moments, night.begins, night.ends, zone,
            )  # fmt: skip
            told = [replace(night, zone=zone).until(moment) for moment in moments]
            assert [row["morning"] for row in rows] == told
