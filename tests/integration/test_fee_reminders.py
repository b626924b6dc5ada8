"""Reminders in the database: once a fee and day, whoever runs, wherever it stops."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from actors.scheduler import SchedulerWorker
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.envelope import Event
from core.events.types import FeeReminder, payload_of
from core.ids import EventId, FeeId, new_id
from core.money import Kobo
from core.school.fees import reminder_store
from core.school.fees.model import NewFee
from core.school.fees.reminding import FeeReminders
from core.school.fees.service import Fees
from tests.factories.school import MadeSchool, make_school

DUE = date(2027, 10, 11)
NINE = datetime(2027, 10, 4, 8, 0, tzinfo=UTC)
"""A week before, at nine in Lagos."""


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school with three students; the other tests' schools are put where it is never their hour."""
    async with db.directory() as tx:
        others = [row["id"] for row in await tx.fetch("SELECT id FROM schools")]
    for other in others:
        async with db.tenant(other) as tx:
            await tx.execute("DELETE FROM fee_reminder_runs")
            await tx.execute("DELETE FROM fees f WHERE NOT EXISTS (SELECT FROM payments p WHERE p.fee_id = f.id)")
            await tx.execute("UPDATE fees SET due_on = '2020-01-01'")
    return await make_school(db, students=3)


async def charge(db: PostgresDatabase, school: MadeSchool, name: str = "School fees", due_on: date = DUE) -> FeeId:
    """Charge a fee of NGN 45,000."""
    new = NewFee(term_id=school.terms[0], level_id=None, name=name, amount_kobo=Kobo(4_500_000), due_on=due_on)
    return (await Fees.over(db, FakeClock(NINE)).records.add(school.as_(Role.BURSAR), new)).id


async def pay(db: PostgresDatabase, school: MadeSchool, fee: FeeId, student: int, amount: int) -> None:
    """Record a payment."""
    await Fees.over(db, FakeClock(NINE)).payments.record(
        school.as_(Role.BURSAR),
        fee_id=fee,
        student_id=school.students[student],
        amount_kobo=Kobo(amount),
        paid_on=date(2027, 10, 1),
        reference=str(new_id()),
    )


async def events(db: PostgresDatabase, school: MadeSchool) -> list[dict[str, Any]]:
    """Return the payloads of the school's events, oldest first, each read as consumers read it."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT * FROM outbox ORDER BY position")
    for row in rows:
        event = Event(EventId(row["id"]), row["type"], row["version"], school.id, NINE, None, row["payload"])
        assert isinstance(payload_of(event), FeeReminder)
    return [row["payload"] for row in rows]


async def test_those_who_owe_are_reminded_with_what_they_owe(db: PostgresDatabase, school: MadeSchool) -> None:
    """The event names who has not paid whole, each with the balance, and the fee with its amount and day."""
    fee = await charge(db, school)
    await pay(db, school, fee, 0, 4_500_000)
    await pay(db, school, fee, 1, 1_500_000)
    assert await FeeReminders(db, FakeClock(NINE)).send_due() == 1
    (event,) = await events(db, school)
    owing = [str(student) for student in sorted(school.students[1:])]
    assert (event["feeId"], event["feeType"], event["amountKobo"]) == (str(fee), "School fees", 4_500_000)
    assert (event["amount"], event["currency"], event["dueDate"]) == (45_000.0, "NGN", "2027-10-11")
    assert event["studentIds"] == owing
    assert event["balancesKobo"] == {str(school.students[1]): 3_000_000, str(school.students[2]): 4_500_000}


async def test_once_a_fee_and_day(db: PostgresDatabase, school: MadeSchool) -> None:
    """Looking again the same day sends nothing; the policy's next day sends again."""
    await charge(db, school)
    clock = FakeClock(NINE)
    reminders = FeeReminders(db, clock)
    sent = []
    for _ in range(8 * 24):
        sent.append(await reminders.send_due())
        clock.advance(timedelta(hours=1))
    days = [NINE + timedelta(hours=hour) for hour, count in enumerate(sent) if count]
    assert days == [NINE, NINE + timedelta(days=6)]
    assert len(await events(db, school)) == reminders.sent == 2


async def test_several_schedulers_send_once(db: PostgresDatabase, school: MadeSchool) -> None:
    """Five schedulers at the same moment send each fee's reminder once between them."""
    for number in range(4):
        await charge(db, school, f"Fee {number}")
    sent = await asyncio.gather(*(FeeReminders(db, FakeClock(NINE)).send_due() for _ in range(5)))
    assert sum(sent) == 4
    assert sorted(event["feeType"] for event in await events(db, school)) == ["Fee 0", "Fee 1", "Fee 2", "Fee 3"]


async def test_a_crash_between_the_steps_loses_and_doubles_nothing(
    db: PostgresDatabase, school: MadeSchool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that dies after emitting leaves neither event nor run behind; the next one sends both fees once."""
    await charge(db, school, "One")
    await charge(db, school, "Two")

    async def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(reminder_store, "note_events", die)
        with pytest.raises(RuntimeError, match="killed"):
            await FeeReminders(db, FakeClock(NINE)).send_due()
    assert await events(db, school) == []
    assert await FeeReminders(db, FakeClock(NINE)).send_due() == 2
    assert len(await events(db, school)) == 2


async def test_what_was_missed_is_caught_up_the_same_day_only(db: PostgresDatabase, school: MadeSchool) -> None:
    """Back in the evening the reminder goes out; back the next morning it is left be."""
    await charge(db, school)
    assert await FeeReminders(db, FakeClock(NINE + timedelta(days=1))).send_due() == 0
    assert await FeeReminders(db, FakeClock(NINE + timedelta(hours=14))).send_due() == 1


async def test_nobody_owing_is_no_event(db: PostgresDatabase, school: MadeSchool) -> None:
    """A fee that all have paid is noted as done and emits nothing."""
    fee = await charge(db, school)
    for student in range(3):
        await pay(db, school, fee, student, 4_500_000)
    assert await FeeReminders(db, FakeClock(NINE)).send_due() == 0
    assert await events(db, school) == []
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM fee_reminder_runs WHERE event_id IS NULL") == 1


async def test_each_school_is_reminded_in_its_own_morning(db: PostgresDatabase, school: MadeSchool) -> None:
    """Two schools with the same fee: the one in Nairobi is reminded two hours before the one in Lagos."""
    nairobi = await make_school(db, students=1)
    async with db.tenant(nairobi.id) as tx:
        await tx.execute("UPDATE schools SET time_zone = 'Africa/Nairobi', currency = 'KES'")
    await charge(db, school)
    await charge(db, nairobi)
    clock = FakeClock(NINE - timedelta(hours=2))
    reminders = FeeReminders(db, clock)
    assert await reminders.send_due() == 1
    assert [event["currency"] for event in await events(db, nairobi)] == ["KES"]
    assert await events(db, school) == []
    clock.advance(timedelta(hours=2))
    assert await reminders.send_due() == 1
    assert len(await events(db, school)) == 1


async def test_one_schools_broken_policy_does_not_stop_the_others(db: PostgresDatabase, school: MadeSchool) -> None:
    """A school whose policy can't be read is passed by with a line in the log."""
    broken = await make_school(db, students=1)
    async with db.tenant(broken.id) as tx:
        await tx.execute(
            "INSERT INTO policies (school_id, id, kind, version, name, body)"
            " VALUES ($1, $2, 'fee_reminder', 2, 'broken', '{}')",
            broken.id,
            new_id(),
        )
    await charge(db, school)
    await charge(db, broken)
    assert await FeeReminders(db, FakeClock(NINE)).send_due() == 1
    assert await events(db, broken) == []


async def test_the_worker_looks_until_it_is_drained(db: PostgresDatabase, school: MadeSchool) -> None:
    """The scheduler's worker sends by itself, says how many it sent, and ends when drained."""
    await charge(db, school)
    reminders = Watched(db, FakeClock(NINE), every=timedelta(milliseconds=5))
    worker = SchedulerWorker(reminders)
    await worker.start()
    async with asyncio.timeout(60):
        await reminders.looked_twice.wait()
    assert await worker.ping() == {"reminders_sent": 1.0}
    await worker.drain(5)
    assert len(await events(db, school)) == 1


class Watched(FeeReminders):
    """Reminders that tell when they have looked twice."""

    def __init__(self, db: PostgresDatabase, clock: FakeClock, every: timedelta) -> None:
        super().__init__(db, clock, every)
        self.looks = 0
        self.looked_twice = asyncio.Event()

    async def send_due(self) -> int:
        """Send what is due, and count."""
        sent = await super().send_due()
        self.looks += 1
        if self.looks == 2:
            self.looked_twice.set()
        return sent
