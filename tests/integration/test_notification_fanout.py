"""From an event to deliveries: who is told, by which channel, and why another was not used."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import InvalidInput
from core.ids import EventId, GuardianId
from core.notifications.fanout import FanOut
from core.notifications.model import Channel
from core.ports import Row
from tests.factories.notifications import ALL, attendance_marked, emitted, fanned_out, fee_reminder, scores_published
from tests.factories.school import MadeSchool, make_school


async def deliveries(db: PostgresDatabase, school: MadeSchool) -> Sequence[Row]:
    """Return every delivery of a school."""
    async with db.tenant(school.id) as tx:
        return await tx.fetch("SELECT * FROM deliveries ORDER BY recipient_id, student_id, channel")


async def ways(db: PostgresDatabase, school: MadeSchool) -> Mapping[str, str]:
    """Return channel -> state or reason, for a school with one guardian and one student told."""
    return {row["channel"]: row["reason"] or row["state"] for row in await deliveries(db, school)}


async def run(db: PostgresDatabase, school: MadeSchool, sql: str, *args: object) -> None:
    """Change a school's records."""
    async with db.tenant(school.id) as tx:
        await tx.execute(sql, *args)


async def withdraw(db: PostgresDatabase, school: MadeSchool, guardian: GuardianId, channel: str) -> None:
    """Record that a guardian withdraws consent."""
    await run(
        db, school,
        "INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_at)"
        " SELECT app_school(), gen_random_uuid(), $1, $2, false, 'portal', max(recorded_at) + interval '1 s'"
        " FROM consents",
        guardian, channel,
    )  # fmt: skip


async def opt_out(db: PostgresDatabase, school: MadeSchool, channel: str, event_type: str) -> None:
    """Let the only guardian switch a kind of message off."""
    await run(
        db, school,
        "INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)"
        " VALUES (gen_random_uuid(), app_school(), $1, $2, $3, false)",
        school.users[school.guardians[0]], channel, event_type,
    )  # fmt: skip


async def test_bell_and_the_first_channel_of_the_order(db: PostgresDatabase) -> None:
    """A guardian is told in the bell and by the first channel of the order, and by no other (P2-24, C-14)."""
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "queued", "sms": "queued"}


async def test_each_guardian_of_each_student_hears_of_that_student(db: PostgresDatabase) -> None:
    """Two children and two guardians each make four recipients, and nobody hears of another's child."""
    school = await make_school(db, students=2, guardians_per_student=2)
    await fanned_out(db, school, scores_published(school))
    told = {(row["recipient_id"], row["student_id"]) for row in await deliveries(db, school)}
    assert told == {
        (school.users[guardian], student) for student, all_of in school.guardians_of.items() for guardian in all_of
    }


async def test_a_guardian_of_two_children_hears_of_both(db: PostgresDatabase) -> None:
    """One guardian with two children gets one message for each."""
    school = await make_school(db, students=2)
    await run(db, school, "DELETE FROM guardianships WHERE guardian_id = $1", school.guardians[1])
    await run(
        db, school,
        "INSERT INTO guardianships (school_id, guardian_id, student_id, relationship)"
        " VALUES (app_school(), $1, $2, 'mother')",
        school.guardians[0], school.students[1],
    )  # fmt: skip
    await fanned_out(db, school, scores_published(school))
    rows = [row for row in await deliveries(db, school) if row["channel"] == "sms"]
    assert {row["student_id"] for row in rows} == set(school.students)
    assert {row["recipient_id"] for row in rows} == {school.users[school.guardians[0]]}


async def test_who_receives_no_messages_hears_nothing(db: PostgresDatabase) -> None:
    """A guardian who does not receive messages of a child has no delivery at all."""
    school = await make_school(db, students=1)
    await run(db, school, "UPDATE guardianships SET receives_messages = false")
    await fanned_out(db, school, scores_published(school))
    assert await deliveries(db, school) == []


async def test_an_unusable_channel_is_passed_over_with_its_reason(db: PostgresDatabase) -> None:
    """Where the first channel can't be used the next one is, and the log says why (P2-18)."""
    school = await make_school(db, students=1)
    await run(db, school, "UPDATE guardians SET phone = NULL")
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "queued", "sms": "no_address", "email": "queued"}


async def test_the_newest_consent_counts(db: PostgresDatabase) -> None:
    """Consent that was given and withdrawn is not consent."""
    school = await make_school(db, students=1)
    await withdraw(db, school, school.guardians[0], "sms")
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "queued", "sms": "no_consent", "email": "queued"}


async def test_an_opt_out_is_for_one_channel_and_one_kind(db: PostgresDatabase) -> None:
    """Switching results off by SMS leaves attendance by SMS as it was."""
    school = await make_school(db, students=1)
    await opt_out(db, school, "sms", "scores.published")
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "queued", "sms": "opted_out", "email": "queued"}
    event = await fanned_out(db, school, attendance_marked(school, absent=school.students))
    later = [row for row in await deliveries(db, school) if row["event_id"] == event.id]
    assert {row["channel"]: row["state"] for row in later} == {"push": "queued", "sms": "queued"}


async def test_the_bell_can_be_switched_off_and_needs_no_consent(db: PostgresDatabase) -> None:
    """The bell is on without consent, and off only for one who switched it off."""
    school = await make_school(db, students=1)
    await withdraw(db, school, school.guardians[0], "push")
    await fanned_out(db, school, attendance_marked(school, absent=school.students))
    assert (await ways(db, school))["push"] == "queued"
    await opt_out(db, school, "push", "scores.published")
    event = await fanned_out(db, school, scores_published(school))
    later = [row for row in await deliveries(db, school) if row["event_id"] == event.id]
    assert {row["channel"]: row["reason"] for row in later} == {"push": "opted_out", "sms": None}


async def test_one_who_puts_the_bell_first_gets_only_the_bell(db: PostgresDatabase) -> None:
    """Where the bell itself comes first in the order, no other channel is used."""
    school = await make_school(db, students=1)
    await run(db, school, "UPDATE guardians SET channel_order = ARRAY['push', 'sms']")
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "queued"}


async def test_a_channel_without_a_provider_is_passed_over(db: PostgresDatabase) -> None:
    """Where no SMS provider is set up, mail is next."""
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), channels=frozenset({Channel.EMAIL}))
    assert await ways(db, school) == {"push": "queued", "sms": "no_provider", "email": "queued"}


async def test_a_closed_account_is_not_written_to(db: PostgresDatabase) -> None:
    """A guardian whose account is closed gets nothing, and the log says why."""
    school = await make_school(db, students=1)
    await run(db, school, "UPDATE users SET active = false WHERE guardian_id IS NOT NULL")
    await fanned_out(db, school, scores_published(school))
    assert await ways(db, school) == {"push": "inactive", "sms": "inactive", "email": "inactive"}


async def test_what_sending_needs_is_copied(db: PostgresDatabase) -> None:
    """Address, language and facts lie in the delivery; no mark does."""
    school = await make_school(db, students=1)
    await run(db, school, "UPDATE guardians SET language = 'yo'")
    event = await fanned_out(db, school, scores_published(school))
    row = next(row for row in await deliveries(db, school) if row["channel"] == "sms")
    assert (row["address"], row["language"]) == ("+2348030000001", "yo")
    assert row["content"] == {
        "school": f"School {school.code}",
        "student": "Tọ́lá",
        "subject": "Mathematics",
        "class_arm": "JSS 2 Ruby",
        "term": "First Term 2027/2028",
    }
    assert row["occurred_at"] == event.occurred_at


async def test_each_student_has_the_right_word(db: PostgresDatabase) -> None:
    """The absent are told absent and the late late, with the day, and money with its amount."""
    school = await make_school(db, students=3)
    first, second, third = school.students
    await fanned_out(db, school, attendance_marked(school, absent=(first,), late=(second,)))
    await fanned_out(db, school, fee_reminder(school, (third,)))
    said = {row["student_id"]: row["content"] for row in await deliveries(db, school) if row["channel"] == "sms"}
    assert (said[first]["status"], said[second]["status"]) == ("absent", "late")
    assert said[third]["amount"] == "NGN 45,000.00"
    assert "status" not in said[third]


async def test_each_family_is_told_what_it_owes(db: PostgresDatabase) -> None:
    """Who has paid a part is told the rest; whose balance is not known, the fee."""
    school = await make_school(db, students=2)
    first, second = school.students
    reminder = fee_reminder(school, (first, second)).model_copy(update={"balances_kobo": {first: 1_250_050}})
    await fanned_out(db, school, reminder)
    said = {row["student_id"]: row["content"] for row in await deliveries(db, school) if row["channel"] == "sms"}
    assert (said[first]["amount"], said[second]["amount"]) == ("NGN 12,500.50", "NGN 45,000.00")


async def test_an_event_again_makes_nothing_new(db: PostgresDatabase) -> None:
    """An event that is delivered again, also at the same moment, makes no second message (P2-10, C-03)."""
    school = await make_school(db, students=3)
    event = await emitted(db, school, scores_published(school))
    handle = FanOut(db, SystemClock(), ALL)
    await asyncio.gather(*(handle(event) for _ in range(5)))
    before = await deliveries(db, school)
    await handle(event)
    assert len(before) == len(await deliveries(db, school)) == 6
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT handled_at IS NOT NULL FROM outbox WHERE id = $1", event.id)


async def test_an_event_no_outbox_knows_is_refused(db: PostgresDatabase) -> None:
    """An event that never was in the school's outbox makes nothing: the stream alone can't speak for a school."""
    school, other = await make_school(db, students=1), await make_school(db, students=1)
    event = await emitted(db, school, scores_published(school))
    handle = FanOut(db, SystemClock(), ALL)
    for forged in (replace(event, id=EventId(uuid4())), replace(event, school_id=other.id)):
        with pytest.raises(InvalidInput):
            await handle(forged)
    assert await deliveries(db, school) == await deliveries(db, other) == []


async def test_students_of_another_school_are_not_there(db: PostgresDatabase) -> None:
    """An event that names another school's students reaches nobody there."""
    school, other = await make_school(db, students=1), await make_school(db, students=2)
    await fanned_out(db, school, scores_published(school, other.students))
    assert await deliveries(db, school) == await deliveries(db, other) == []


async def test_a_wrong_payload_is_refused(db: PostgresDatabase) -> None:
    """An event that can't be understood is refused, for the dead letters, and marks nothing as handled."""
    school = await make_school(db, students=1)
    event = await emitted(db, school, scores_published(school))
    with pytest.raises(InvalidInput):
        await FanOut(db, SystemClock(), ALL)(replace(event, payload={"subjectId": "x"}))
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT handled_at IS NULL FROM outbox WHERE id = $1", event.id)
