"""The trail of a message over HTTP: whether it arrived, and why it did not."""

from uuid import uuid4

from core.adapters.postgres import PostgresDatabase
from tests.factories.notification_office import NOT_THERE, Office, refusing, told
from tests.factories.notifications import (
    attendance_marked,
    fanned_out,
    scores_published,
)
from tests.factories.school import MadeSchool
from tests.factories.senders import FakeSender


async def test_why_did_this_parent_not_get_it(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """By student, guardian and event: one message with its verdict and the story of every channel."""
    await told(db, school, refusing(), 0)
    for query in ({"studentId": school.students[0]}, {"guardianId": school.guardians[0]}):
        (message,) = (await office.get("/trails", **query)).json()["items"]
        assert message["studentName"] == "Student0001 Tọ́lá"
        assert message["verdict"].startswith("in the bell only (")
        assert "SMS: given up: the number is not on the network" in message["verdict"]
        trails = {each["delivery"]["channel"]: each for each in message["deliveries"]}
        assert set(trails) == {"sms", "email", "push"}
        assert trails["sms"]["attempts"][0]["detail"] == NOT_THERE
        assert trails["sms"]["delivery"]["address"] == "+234•••••001"
    event = message["eventId"]
    assert len((await office.get("/trails", eventId=event)).json()["items"]) == 1
    assert (await office.get("/trails")).status_code == 422


async def test_messages_come_in_pages(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """Pages of trails follow each other without gap or overlap."""
    for _ in range(3):
        await told(db, school, FakeSender())
    seen: list[tuple[str, str]] = []
    query: dict[str, object] = {"studentId": school.students[0], "limit": 1}
    for _ in range(3):
        page = (await office.get("/trails", **query)).json()
        seen += [(each["eventId"], each["studentId"]) for each in page["items"]]
        query["cursor"] = page["nextCursor"]
    assert page["nextCursor"] is None
    assert len(set(seen)) == 3
    assert (await office.get("/trails", studentId=school.students[0], cursor="WzFd")).status_code == 422


async def test_an_event_that_joined_a_message_finds_it(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Where results waited for each other, the trail of the later event is that of the message they share."""
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "INSERT INTO policies (school_id, id, kind, version, name, body)"
            " VALUES (app_school(), gen_random_uuid(), 'notification', 1, 'x', $1)",
            {"holdBackMinutes": 15, "digest": True},
        )
    events = [await fanned_out(db, school, scores_published(school, school.students[:1])) for _ in range(2)]
    for event in events:
        (message,) = (await office.get("/trails", eventId=event.id)).json()["items"]
        assert message["verdict"].startswith("on its way by")
        assert message["eventId"] == str(events[0].id)


async def test_why_there_is_no_message_at_all(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """Where there is no row, the reason is worked out from event, student and guardian."""
    await told(db, school, FakeSender(), 0)
    (message,) = (await office.get("/trails", studentId=school.students[0])).json()["items"]
    event, guardian = message["eventId"], school.guardians[0]

    async def note(**query: object) -> str:
        body = (await office.get("/trails", **query)).json()
        assert body["items"] == []
        return str(body["note"])

    assert await note(eventId=uuid4()) == "there is no such event"
    assert "not about this student" in await note(eventId=event, studentId=school.students[1])
    assert "not linked" in await note(eventId=event, guardianId=school.guardians[1])
    assert "name an event" in await note(guardianId=school.guardians[1])
    async with db.tenant(school.id) as tx:
        await tx.execute("DELETE FROM deliveries")
        await tx.execute("UPDATE guardianships SET receives_messages = false WHERE guardian_id = $1", guardian)
    assert "set to receive no messages" in await note(eventId=event, guardianId=guardian)
    await_handling = await fanned_out(db, school, attendance_marked(school, absent=school.students[:1]))
    async with db.tenant(school.id) as tx:
        await tx.execute("DELETE FROM deliveries")
        await tx.execute("UPDATE outbox SET handled_at = NULL WHERE id = $1", await_handling.id)
    assert "has not been handled yet" in await note(eventId=await_handling.id, guardianId=guardian)
