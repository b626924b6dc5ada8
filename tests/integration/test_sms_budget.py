"""A month's SMS budget: what it holds back, what it lets through, and that races don't break it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Fault, InvalidInput
from core.notifications.explanation import why
from core.notifications.model import Channel, Reason
from core.school.model import PolicyKind
from tests.factories.notifications import (
    attendance_marked,
    delivering,
    fanned_out,
    fee_reminder,
    scores_published,
    settled,
)
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.sms import keep_budget, settle, spent


async def ways(db: PostgresDatabase, school: MadeSchool) -> Counter[tuple[str, str]]:
    """Return how many deliveries there are by channel, and by reason or state."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT channel, coalesce(reason, state) AS stand FROM deliveries")
    return Counter((row["channel"], row["stand"]) for row in rows)


async def send(db: PostgresDatabase, school: MadeSchool, sender: FakeSender | None = None) -> None:
    """Deliver what is due."""
    async with delivering(db, {Channel.SMS: sender or FakeSender(), Channel.EMAIL: FakeSender()}):
        await settled(db, school)


async def test_a_used_up_budget_brings_email_and_bell(db: PostgresDatabase) -> None:
    """Of five messages a budget of three lets three go by SMS; the others go by email, and all to the bell."""
    school = await make_school(db, students=5)
    await keep_budget(db, school, 300)
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {
        ("push", "queued"): 5,
        ("sms", "queued"): 3,
        ("sms", "over_budget"): 2,
        ("email", "queued"): 2,
    }


async def test_what_is_sent_stays_used(db: PostgresDatabase) -> None:
    """What was promised and is sent is spent: the next event finds nothing left."""
    school = await make_school(db, students=3)
    await keep_budget(db, school, 300)
    await fanned_out(db, school, scores_published(school))
    await send(db, school)
    await fanned_out(db, school, fee_reminder(school, school.students))
    assert (await ways(db, school))["sms", "over_budget"] == 3
    assert list((await spent(db, school)).values()) == [(3, 3, 300)]


async def test_a_child_who_did_not_arrive_is_told_of_all_the_same(db: PostgresDatabase) -> None:
    """An urgent event passes a used-up budget, and its messages count."""
    school = await make_school(db, students=2)
    await keep_budget(db, school, 0)
    await fanned_out(db, school, attendance_marked(school, absent=school.students))
    assert await ways(db, school) == {("push", "queued"): 2, ("sms", "queued"): 2}
    await send(db, school)
    assert list((await spent(db, school)).values()) == [(2, 2, 200)]


async def test_a_soft_budget_spares_those_whom_nothing_else_reaches(db: PostgresDatabase) -> None:
    """Past a soft budget email comes first; whoever has no email still gets an SMS."""
    school = await make_school(db, students=2)
    await keep_budget(db, school, 0, hard_stop=False)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET email = NULL WHERE id = $1", school.guardians[0])
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {
        ("push", "queued"): 2,
        ("sms", "queued"): 1,
        ("sms", "over_budget"): 1,
        ("email", "queued"): 1,
        ("email", "no_address"): 1,
    }


async def test_without_a_budget_nothing_is_held_back(db: PostgresDatabase) -> None:
    """A school that keeps no budget reserves nothing and skips nothing."""
    school = await make_school(db, students=2)
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {("push", "queued"): 2, ("sms", "queued"): 2}
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE reserved_kobo IS NOT NULL") == 0


async def test_who_wants_email_uses_no_budget(db: PostgresDatabase) -> None:
    """A guardian whose first channel is email takes nothing from those who are told by SMS."""
    school = await make_school(db, students=3)
    await keep_budget(db, school, 200)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = '{email,sms}' WHERE id = $1", school.guardians[0])
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {("push", "queued"): 3, ("sms", "queued"): 2, ("email", "queued"): 1}


async def test_events_at_once_never_promise_more_than_is_left(db: PostgresDatabase) -> None:
    """Eight events of ten messages race for a budget of thirty-five, and thirty-five go by SMS."""
    school = await make_school(db, students=10)
    await keep_budget(db, school, 3_500)
    await asyncio.gather(*(fanned_out(db, school, scores_published(school)) for _ in range(8)))
    counted = await ways(db, school)
    assert (counted["sms", "queued"], counted["sms", "over_budget"]) == (35, 45)


async def test_events_and_sending_at_once_stay_within_the_budget(db: PostgresDatabase) -> None:
    """While messages are being sent, further events find exactly what is left."""
    school = await make_school(db, students=10)
    await keep_budget(db, school, 4_200)
    senders = {Channel.SMS: FakeSender(), Channel.EMAIL: FakeSender()}
    async with delivering(db, senders, worker="one"), delivering(db, senders, worker="two"):
        await asyncio.gather(*(fanned_out(db, school, scores_published(school)) for _ in range(8)))
        await settled(db, school)
    assert list((await spent(db, school)).values()) == [(42, 42, 4_200)]


async def test_messages_dearer_than_expected_end_with_what_was_on_its_way(db: PostgresDatabase) -> None:
    """A price that was expected too low costs no more than the messages already promised; the next event stops."""
    school = await make_school(db, students=4)
    await keep_budget(db, school, 400)
    async with db.tenant(school.id) as tx:  # a name beyond what estimates are made with: two segments instead of one
        await tx.execute("UPDATE students SET given_names = repeat('Oluwaseun ', 9)")
    await fanned_out(db, school, scores_published(school))
    await send(db, school)
    assert list((await spent(db, school)).values()) == [(4, 8, 800)]
    await fanned_out(db, school, fee_reminder(school, school.students))
    assert (await ways(db, school))["sms", "over_budget"] == 4


async def test_a_message_that_dies_gives_its_share_back(db: PostgresDatabase) -> None:
    """What was promised to a message that no provider took is there for the next."""
    school = await make_school(db, students=3)
    await keep_budget(db, school, 300)
    await fanned_out(db, school, scores_published(school))
    refusal = InvalidInput("no such number", [Fault("/address", "no such number", Reason.REJECTED)])
    await send(db, school, FakeSender(lambda _: refusal))
    await fanned_out(db, school, fee_reminder(school, school.students))
    assert (await ways(db, school))["sms", "queued"] == 3


async def test_a_new_month_begins_with_the_whole_budget(db: PostgresDatabase) -> None:
    """What November used up is there again at midnight in Lagos, an hour before it is December in Greenwich."""
    school = await make_school(db, students=2)
    await keep_budget(db, school, 200)
    clock = FakeClock(datetime(2027, 11, 30, 22, 0, tzinfo=UTC))
    for _ in range(2):
        await fanned_out(db, school, scores_published(school), clock=clock)
        async with delivering(db, {Channel.SMS: FakeSender(), Channel.EMAIL: FakeSender()}, clock=clock):
            await settled(db, school)
    assert (await ways(db, school))["sms", "over_budget"] == 2
    december = FakeClock(datetime(2027, 11, 30, 23, 0, tzinfo=UTC))
    await fanned_out(db, school, scores_published(school), clock=december)
    assert (await ways(db, school))["sms", "queued"] == 2


async def test_a_digest_takes_its_share_once(db: PostgresDatabase) -> None:
    """Subjects that join a message which waits need no budget of their own: they cost no message more."""
    school = await make_school(db, students=2)
    await keep_budget(db, school, 200)
    await settle(db, school, PolicyKind.NOTIFICATION, holdBackMinutes=15, quietHours=None)
    for _ in range(3):
        await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {("push", "held_back"): 2, ("sms", "held_back"): 2}


async def test_the_newest_budget_holds(db: PostgresDatabase) -> None:
    """A school that raises its budget sends on at once."""
    school = await make_school(db, students=2)
    await keep_budget(db, school, 0)
    await fanned_out(db, school, scores_published(school))
    await settle(db, school, PolicyKind.SMS_BUDGET, monthlyKobo=1_000)
    await fanned_out(db, school, fee_reminder(school, school.students))
    assert (await ways(db, school))["sms", "queued"] == 2


async def test_one_schools_budget_is_not_anothers(db: PostgresDatabase) -> None:
    """A school whose budget is used up takes nothing from another."""
    poor, rich = await make_school(db, students=2), await make_school(db, students=2)
    await keep_budget(db, poor, 0)
    await keep_budget(db, rich, 1_000)
    await asyncio.gather(*(fanned_out(db, school, scores_published(school)) for school in (poor, rich)))
    assert (await ways(db, poor))["sms", "over_budget"] == 2
    assert (await ways(db, rich))["sms", "queued"] == 2


def test_the_trail_says_it_in_words() -> None:
    """The reason is told in the words of the school's office."""
    assert why("skipped", Reason.OVER_BUDGET, "sms").startswith("not sent: the month's SMS budget is used up")
