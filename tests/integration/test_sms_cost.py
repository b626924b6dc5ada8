"""What an SMS costs: recorded when it is sent, by the school's prices or the provider's own word."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Broken, Fault, InvalidInput
from core.notifications.model import Channel, Reason
from core.ports import Row
from core.school.model import PolicyKind
from tests.factories.notifications import QUICK, delivering, fanned_out, fee_reminder, scores_published, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.sms import StatingSender, price, settle, spent, texts


async def sent_sms(db: PostgresDatabase, school: MadeSchool) -> Sequence[Row]:
    """Return the figures of every SMS."""
    async with db.tenant(school.id) as tx:
        return await tx.fetch(
            "SELECT state, segments, cost_kobo, provider_cost_kobo FROM deliveries WHERE channel = 'sms' ORDER BY id"
        )


async def speak(db: PostgresDatabase, school: MadeSchool, language: str) -> None:
    """Let every guardian read a language."""
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET language = $1", language)


async def told(db: PostgresDatabase, school: MadeSchool, sender: FakeSender) -> None:
    """Let the marks of every student be told by SMS."""
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}):
        await settled(db, school)


async def test_segments_and_cost_stand_with_the_delivery(db: PostgresDatabase) -> None:
    """A sent SMS has its segments, its cost by the school's price, and is in the month's account."""
    school, sender = await make_school(db, students=2), FakeSender()
    await price(db, school, 350)
    await told(db, school, sender)
    assert [(row["segments"], row["cost_kobo"], row["provider_cost_kobo"]) for row in await sent_sms(db, school)] == [
        (1, 350, None)
    ] * 2
    assert list((await spent(db, school)).values()) == [(2, 2, 700)]


async def test_the_text_that_is_sent_is_the_cleaned_one(db: PostgresDatabase) -> None:
    """A guardian who reads English gets a name without its marks, which the cheap alphabet lacks."""
    school, sender = await make_school(db, students=1), FakeSender()
    await told(db, school, sender)
    (body,) = texts(sender).values()
    assert "Tola" in body
    assert "Tọ́lá" not in body


@pytest.mark.parametrize(("letters", "name", "segments"), [("by_language", "Tọ́lá", 2), ("plain", "Tola", 1)])
async def test_a_reader_of_yoruba_gets_the_letters(
    db: PostgresDatabase, letters: str, name: str, segments: int
) -> None:
    """Letters are kept for readers of Yoruba at the price of UCS-2, unless the school decides otherwise."""
    school, sender = await make_school(db, students=1), FakeSender()
    await settle(db, school, PolicyKind.SMS_TEXT, letters=letters)
    await speak(db, school, "yo")
    await told(db, school, sender)
    (body,) = texts(sender).values()
    (row,) = await sent_sms(db, school)
    assert name in body
    assert row["segments"] == segments


async def test_the_providers_own_word_counts(db: PostgresDatabase) -> None:
    """Where the provider says what it takes, that is what the account holds; both are kept."""
    school = await make_school(db, students=1)
    await price(db, school, 350)
    await told(db, school, StatingSender(199))
    (row,) = await sent_sms(db, school)
    assert (row["cost_kobo"], row["provider_cost_kobo"]) == (350, 199)
    assert list((await spent(db, school)).values()) == [(1, 1, 199)]


async def test_a_refused_message_costs_nothing(db: PostgresDatabase) -> None:
    """What no provider has taken is in no account."""
    school = await make_school(db, students=1)
    refusal = InvalidInput("no such number", [Fault("/address", "no such number", Reason.REJECTED)])
    await told(db, school, FakeSender(lambda _: refusal))
    (row,) = await sent_sms(db, school)
    assert (row["state"], row["cost_kobo"]) == ("dead", None)
    assert await spent(db, school) == {}


async def test_workers_beside_each_other_lose_no_kobo(db: PostgresDatabase) -> None:
    """The account of each school is the sum of its deliveries, however many workers write to it at once."""
    schools = [await make_school(db, students=40) for _ in range(3)]
    for school in schools:
        await price(db, school, 250)
        await fanned_out(db, school, scores_published(school))
        await fanned_out(db, school, fee_reminder(school, school.students))
    async with (
        delivering(db, {Channel.SMS: FakeSender()}, QUICK, worker="one"),
        delivering(db, {Channel.SMS: FakeSender()}, QUICK, worker="two"),
        delivering(db, {Channel.SMS: FakeSender()}, QUICK, worker="three"),
    ):
        await asyncio.gather(*(settled(db, school) for school in schools))
    for school in schools:
        rows = await sent_sms(db, school)
        assert len(rows) == 80
        figures = (80, sum(row["segments"] for row in rows), sum(row["cost_kobo"] for row in rows))
        assert list((await spent(db, school)).values()) == [figures]


async def test_the_month_turns_at_the_schools_midnight(db: PostgresDatabase) -> None:
    """A message of 22:59 UTC on 30 November is November's in Lagos, one a minute later December's."""
    school = await make_school(db, students=1)
    await price(db, school)
    for minute in (datetime(2027, 11, 30, 22, 59, tzinfo=UTC), datetime(2027, 11, 30, 23, 0, tzinfo=UTC)):
        clock = FakeClock(minute)
        await fanned_out(db, school, scores_published(school), clock=clock)
        async with delivering(db, {Channel.SMS: FakeSender()}, clock=clock):
            await settled(db, school)
    assert await spent(db, school) == {"2027-11": (1, 1, 100), "2027-12": (1, 1, 100)}


async def test_a_school_can_not_write_its_account(db: PostgresDatabase) -> None:
    """Only sending raises what was spent: the application's role may read it and no more."""
    school = await make_school(db, students=1)
    await told(db, school, FakeSender())
    with pytest.raises(Broken):
        async with db.tenant(school.id) as tx:
            await tx.execute("UPDATE sms_spend SET spent_kobo = 0")
