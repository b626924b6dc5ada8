"""The hold-back window: what is published in it becomes one message, whatever comes again, late or at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.types import ScoresPublished
from core.ids import MarkSheetId, StudentId
from core.notifications import delivery_store
from core.notifications.fanout import FanOut
from core.notifications.model import Channel, Reason
from core.notifications.rendering import Templates
from core.ports import Row
from tests.factories.notifications import ALL, attendance_marked, emitted, fanned_out, room, scores_published
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import one_guardian, settle

WINDOW = timedelta(minutes=15)
SUBJECTS = ("Mathematics", "English Language", "Biology", "Chemistry")


def published(
    school: MadeSchool,
    subject: str,
    *,
    sheet: MarkSheetId | None = None,
    revision: int = 1,
    students: tuple[StudentId, ...] | None = None,
) -> ScoresPublished:
    """Return the event of one subject being published."""
    changed = {"subject_name": subject, "sheet_id": sheet or MarkSheetId(uuid4()), "revision": revision}
    return scores_published(school, students).model_copy(update=changed)


async def waiting(db: PostgresDatabase, school: MadeSchool, channel: str = "sms") -> Sequence[Row]:
    """Return what waits to leave by a channel."""
    async with db.tenant(school.id) as tx:
        return await tx.fetch(
            "SELECT * FROM deliveries WHERE channel = $1 AND state = 'queued' ORDER BY created_at, id", channel
        )


def words(row: Row) -> str:
    """Return the message as it would be sent now."""
    return Templates().render(row["event_type"], Channel(row["channel"]), row["language"], row["content"]).body


@pytest.fixture
def clock() -> FakeClock:
    """A Monday morning."""
    return FakeClock()


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of one student whose results wait for a quarter of an hour."""
    made = await make_school(db, students=1)
    await settle(db, made)
    return made


async def test_subjects_of_one_window_are_one_message(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """Four subjects in a quarter of an hour make one SMS and one entry in the bell, due when the window ends (C-15)."""
    begun = clock.now()
    for subject in SUBJECTS:
        await fanned_out(db, school, published(school, subject), clock=clock)
        clock.advance(timedelta(minutes=1))
    (sms,) = await waiting(db, school)
    (bell,) = await waiting(db, school, "push")
    assert (sms["next_attempt_at"], sms["reason"]) == (begun + WINDOW, Reason.HELD_BACK)
    assert bell["next_attempt_at"] == begun + WINDOW
    assert "Tọ́lá (4 subjects)" in words(sms)
    assert "Biology, Chemistry, English Language, Mathematics" in words(bell)


async def test_a_publication_again_takes_the_place_of_its_own(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """A sheet published again within the window is told once, as it is now."""
    sheet = MarkSheetId(uuid4())
    await fanned_out(db, school, published(school, "Mathematics", sheet=sheet), clock=clock)
    await fanned_out(db, school, published(school, "Further Mathematics", sheet=sheet, revision=2), clock=clock)
    (sms,) = await waiting(db, school)
    assert [each["subject"] for each in sms["content"]["results"].values()] == ["Further Mathematics"]


async def test_an_older_revision_that_comes_late_changes_nothing(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """Events may come in any order: the later revision stays."""
    sheet = MarkSheetId(uuid4())
    for revision in (2, 1):
        await fanned_out(db, school, published(school, f"Revision {revision}", sheet=sheet, revision=revision),
                         clock=clock)  # fmt: skip
    (sms,) = await waiting(db, school)
    assert [each["subject"] for each in sms["content"]["results"].values()] == ["Revision 2"]


async def test_the_window_is_not_drawn_out(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """What joins does not put the message off; what comes after a worker has it begins another."""
    await fanned_out(db, school, published(school, "Mathematics"), clock=clock)
    clock.advance(WINDOW)
    async with db.dispatch() as tx:
        own = await delivery_store.claim_due(
            tx, room(Channel.SMS, Channel.PUSH, count=99), worker="w", now=clock.now(), lease=WINDOW
        )
    assert sum(each.school_id == school.id for each in own) == 2
    await fanned_out(db, school, published(school, "Biology"), clock=clock)
    (sms,) = await waiting(db, school)
    assert "Biology results" in words(sms)
    assert sms["next_attempt_at"] == clock.now() + WINDOW


async def test_siblings_share_a_message_and_each_is_accounted_for(db: PostgresDatabase, clock: FakeClock) -> None:
    """One SMS names both children; the bell has one entry each; each child has one row an SMS was due for."""
    school = await make_school(db, students=2)
    await settle(db, school)
    await one_guardian(db, school)
    first, second = school.students
    await fanned_out(db, school, published(school, "Mathematics", students=(first,)), clock=clock)
    for subject in SUBJECTS:
        await fanned_out(db, school, published(school, subject, students=(second,)), clock=clock)
    (sms,) = await waiting(db, school)
    assert "(Mathematics)" in words(sms)
    assert "(4 subjects)" in words(sms)
    assert {row["student_id"] for row in await waiting(db, school, "push")} == {first, second}
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT student_id, state, reason FROM deliveries WHERE channel = 'sms'")
    assert {(row["student_id"], row["state"], row["reason"]) for row in rows} == {
        (first, "queued", Reason.HELD_BACK),
        (second, "skipped", Reason.WITH_SIBLING),
    }
    assert len(rows) == 2


async def test_twins_of_one_class_share_from_the_start(db: PostgresDatabase, clock: FakeClock) -> None:
    """Two children in one event make one SMS, and a second subject joins for both."""
    school = await make_school(db, students=2)
    await settle(db, school)
    await one_guardian(db, school)
    for subject in SUBJECTS[:2]:
        await fanned_out(db, school, published(school, subject), clock=clock)
    (sms,) = await waiting(db, school)
    assert len(sms["content"]["results"]) == 4
    assert words(sms).count("(English Language, Mathematics)") == 2


async def test_redelivery_adds_nothing(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """Events delivered again, at once and later, contribute once (C-03)."""
    events = [await emitted(db, school, published(school, subject), clock) for subject in SUBJECTS]
    handle = FanOut(db, clock, ALL)
    await asyncio.gather(*(handle(event) for event in events * 3))
    before = await waiting(db, school)
    await asyncio.gather(*(handle(event) for event in reversed(events)))
    assert before == await waiting(db, school)
    assert [len(row["content"]["results"]) for row in before] == [4]


async def test_events_at_once_meet_in_one_message(db: PostgresDatabase, clock: FakeClock) -> None:
    """Twelve subjects of a class fanned out at the same moment by many make one message a guardian and child."""
    school = await make_school(db, students=20, guardians_per_student=2)
    await settle(db, school)
    events = [await emitted(db, school, published(school, f"Subject {number}"), clock) for number in range(12)]
    shuffled = [replace(event) for event in reversed(events)]
    await asyncio.gather(*(FanOut(db, clock, ALL)(event) for event in shuffled))
    for channel in ("sms", "push"):
        rows = await waiting(db, school, channel)
        assert len({(row["recipient_id"], row["student_id"]) for row in rows}) == len(rows) == 40
        assert {len(row["content"]["results"]) for row in rows} == {12}


async def test_claims_and_joins_at_once_lose_no_result(db: PostgresDatabase, clock: FakeClock) -> None:
    """While a worker claims what is due, each result is in exactly one message: the claimed or the next."""
    school = await make_school(db, students=10)
    await settle(db, school)
    await fanned_out(db, school, published(school, "Subject 0"), clock=clock)
    clock.advance(WINDOW)
    events = [await emitted(db, school, published(school, f"Subject {number}"), clock) for number in range(1, 7)]

    async def claim() -> None:
        for _ in range(20):
            async with db.dispatch() as tx:
                await delivery_store.claim_due(
                    tx, room(Channel.SMS, count=5), worker="w", now=clock.now(), lease=WINDOW
                )

    await asyncio.gather(claim(), *(FanOut(db, clock, ALL)(event) for event in events))
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT student_id, state, content FROM deliveries WHERE channel = 'sms'")
    told = [(row["student_id"], each["subject"]) for row in rows for each in row["content"]["results"].values()]
    assert len(told) == len(set(told)) == 70
    assert {row["state"] for row in rows} <= {"claimed", "queued"}


async def test_an_alert_does_not_wait(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """A child who did not arrive is told of at once."""
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    (sms,) = await waiting(db, school)
    assert (sms["next_attempt_at"], sms["reason"]) == (clock.now(), None)


async def test_without_a_digest_each_subject_is_told_alone(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """A school that wants no digest still has its window, in which a sheet takes its own place only."""
    await settle(db, school, digest=False)
    sheet = MarkSheetId(uuid4())
    await fanned_out(db, school, published(school, "Mathematics", sheet=sheet), clock=clock)
    await fanned_out(db, school, published(school, "Biology"), clock=clock)
    await fanned_out(db, school, published(school, "Algebra", sheet=sheet, revision=2), clock=clock)
    told = {tuple(each["subject"] for each in row["content"]["results"].values()) for row in await waiting(db, school)}
    assert told == {("Algebra",), ("Biology",)}


async def test_a_school_that_settled_nothing_sends_at_once(db: PostgresDatabase, clock: FakeClock) -> None:
    """Without rules each event is a message of its own, and no result lies in wait."""
    school = await make_school(db, students=1)
    for subject in SUBJECTS:
        await fanned_out(db, school, published(school, subject), clock=clock)
    rows = await waiting(db, school)
    assert len(rows) == 4
    assert all(row["next_attempt_at"] == clock.now() and "results" not in row["content"] for row in rows)


async def test_an_opt_out_inside_the_window_begins_another_way(
    db: PostgresDatabase, school: MadeSchool, clock: FakeClock
) -> None:
    """Who switches SMS off meanwhile gets what follows by mail; nothing more joins the SMS."""
    await fanned_out(db, school, published(school, "Mathematics"), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)"
            " VALUES (gen_random_uuid(), app_school(), $1, 'sms', 'scores.published', false)",
            school.users[school.guardians[0]],
        )
    await fanned_out(db, school, published(school, "Biology"), clock=clock)
    (sms,) = await waiting(db, school)
    (mail,) = await waiting(db, school, "email")
    assert "Mathematics results" in words(sms)
    assert "Biology results" in words(mail)
