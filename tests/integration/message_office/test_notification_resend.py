"""Resending, dead deliveries and bad addresses, over HTTP."""

from uuid import uuid4

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.notifications.model import Channel, Reason
from tests.factories.http import bearer
from tests.factories.notification_office import Office, delivered, refusing, told
from tests.factories.notifications import (
    fanned_out,
    fee_reminder,
    states,
)
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender


async def test_a_resend_is_a_new_message_to_the_provider(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """The provider takes it a second time under another key; the trail says who had it sent again."""
    sender = FakeSender()
    await told(db, school, sender, 0)
    (sent,) = await office.deliveries(channel="sms")
    answer = await office.post(f"/deliveries/{sent['id']}/resend")
    assert (answer.status_code, answer.json()["queued"]) == (200, True), answer.text
    await delivered(db, school, sender)
    assert len(sender.taken) == 2
    trail = (await office.get(f"/deliveries/{sent['id']}/trail")).json()
    assert [each["number"] for each in trail["attempts"]] == [1, 2]
    assert (trail["delivery"]["resends"], trail["delivery"]["state"]) == (1, "sent")
    (action,) = trail["actions"]
    admin = school.as_(Role.SCHOOL_ADMIN).user_id
    assert (action["action"], action["after"], action["actorId"]) == ("resent", 1, str(admin))
    said = [each["said"] for each in trail["story"]]
    assert said[0].startswith("planned for SMS to +234")
    assert said[1].startswith("attempt 1: taken by the provider")
    assert said[2] == "School Admin Adé had it sent again"
    assert said[3].startswith("attempt 2: taken by the provider")


async def test_the_same_request_twice_resends_once(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """With one Idempotency-Key the second answer is the first again."""
    await told(db, school, FakeSender(), 0)
    (sent,) = await office.deliveries(channel="sms")
    answers = [await office.post(f"/deliveries/{sent['id']}/resend", key="k1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["idempotency-replayed"] == "true"
    (again,) = await office.deliveries(channel="sms")
    assert again["resends"] == 1


async def test_a_resend_goes_to_the_number_of_now(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """A number that was corrected since gets the message."""
    await told(db, school, refusing(), 0)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET phone = '+2348099999999' WHERE id = $1", school.guardians[0])
    (dead,) = await office.deliveries(state="dead")
    assert (await office.post(f"/dead-deliveries/{dead['id']}/replay")).status_code == 200
    sender = FakeSender()
    await delivered(db, school, sender)
    assert [each.address for each in sender.taken.values()] == ["+2348099999999"]


async def test_never_past_an_opt_out(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """Who has opted out, withdrawn consent, lost the guardianship or the account since is not written to."""
    changes = {
        "opted_out": "INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)"
        " SELECT gen_random_uuid(), school_id, id, 'sms', 'attendance.marked', false FROM users WHERE guardian_id = $1",
        "no_consent": "INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_at)"
        " VALUES (app_school(), gen_random_uuid(), $1, 'sms', false, 'form', '2028-01-01')",
        "not_linked": "DELETE FROM guardianships WHERE guardian_id = $1",
        "inactive": "UPDATE users SET active = false WHERE guardian_id = $1",
        "no_address": "UPDATE guardians SET phone = NULL WHERE id = $1",
    }
    for obstacle, change in changes.items():
        school = await make_school(db, students=1)
        office = Office(office.client, school.as_(Role.SCHOOL_ADMIN))
        await told(db, school, FakeSender(), 0)
        async with db.tenant(school.id) as tx:
            await tx.execute(change, school.guardians[0])
        (sent,) = await office.deliveries(channel="sms")
        answer = await office.post(f"/deliveries/{sent['id']}/resend")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, obstacle)
        assert answer.json()["detail"]
        assert (await states(db, school))["sms", "sent"] == 1


async def test_a_message_is_resent_three_times_at_most(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """The fourth time answers 409; while it is on its way it can't be resent either."""
    sender = FakeSender()
    await told(db, school, sender, 0)
    (sent,) = await office.deliveries(channel="sms")
    for number in range(3):
        assert (await office.post(f"/deliveries/{sent['id']}/resend")).status_code == 200, number
        waiting = await office.post(f"/deliveries/{sent['id']}/resend")
        assert waiting.json()["errors"][0]["code"] == "under_way"
        await delivered(db, school, sender)
    refused = await office.post(f"/deliveries/{sent['id']}/resend")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "too_often")
    assert len(sender.taken) == 4


async def test_many_are_resent_with_a_word_on_each(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """By ids each gets its own result; what is no delivery of the school is told as not found."""
    await told(db, school, FakeSender())
    first, second = await office.deliveries(channel="sms")
    (bell, _) = await office.deliveries(channel="push")
    stranger = str(uuid4())
    ids = [first["id"], second["id"], bell["id"], stranger]
    body = (await office.post("/deliveries/resend", {"ids": ids})).json()
    assert body["queued"] == 2
    assert {each["id"]: each["obstacle"] for each in body["results"]} == {
        first["id"]: None,
        second["id"]: None,
        bell["id"]: "in_the_bell",
        stranger: "not_found",
    }


async def test_what_fits_a_filter_is_resent(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """The dead of a channel, event and reason; the others stay as they are."""
    await told(db, school, refusing(Reason.REJECTED))
    await fanned_out(db, school, fee_reminder(school, school.students), channels=frozenset({Channel.SMS}))
    await delivered(db, school, refusing(Reason.REJECTED))
    dead = await office.deliveries(state="dead")
    assert len(dead) == 4
    event = next(each["eventId"] for each in dead if each["eventType"] == "fee.reminder")
    nothing = await office.post("/deliveries/resend", {"filter": {"channel": "email"}})
    assert nothing.json()["results"] == []
    body = (await office.post("/deliveries/resend", {"filter": {"state": "dead", "eventId": event}})).json()
    assert (body["queued"], body["more"]) == (2, False)
    assert (await states(db, school))["sms", "dead"] == 2


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": ["x"]}, {"filter": {"state": "sent"}}, {"filter": {"state": "queued"}},
     {"ids": [str(uuid4())], "filter": {}}, {"ids": [str(uuid4())] * 501}],
)  # fmt: skip
async def test_what_is_no_choice_is_refused(office: Office, body: dict[str, object]) -> None:
    """Neither, both, too many, or all that was ever sent: 422."""
    assert (await office.post("/deliveries/resend", body)).status_code == 422


async def test_the_dead_are_listed_replayed_and_set_aside(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """The list is filtered and paged; one set aside leaves it, keeps its trail and is not resent by a filter."""
    await told(db, school, refusing(Reason.REJECTED))
    listed = (await office.get("/dead-deliveries", channel="sms", limit=1)).json()
    assert len(listed["items"]) == 1
    rest = (await office.get("/dead-deliveries", channel="sms", limit=1, cursor=listed["nextCursor"])).json()
    first, second = listed["items"][0], rest["items"][0]
    assert first["id"] != second["id"]
    assert (await office.get("/dead-deliveries", reason="timed_out")).json()["items"] == []
    assert (await office.delete(f"/dead-deliveries/{first['id']}")).status_code == 204
    assert (await office.delete(f"/dead-deliveries/{first['id']}")).status_code == 404
    assert [each["id"] for each in (await office.get("/dead-deliveries")).json()["items"]] == [second["id"]]
    trail = (await office.get(f"/deliveries/{first['id']}/trail")).json()
    assert [each["action"] for each in trail["actions"]] == ["discarded"]
    body = (await office.post("/deliveries/resend", {"filter": {}})).json()
    assert [each["id"] for each in body["results"]] == [second["id"]]
    assert (await office.get("/dead-deliveries")).json()["items"] == []


async def test_a_number_refused_for_good_is_asked_no_more(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """It stands on the list with its guardian; the next message skips it and the trail says why."""
    await told(db, school, refusing(), 0)
    (bad,) = (await office.get("/bad-addresses")).json()["items"]
    assert (bad["guardianId"], bad["channel"]) == (str(school.guardians[0]), "sms")
    assert (bad["reason"], bad["address"]) == ("not_on_network", "+234•••••001")
    sender = FakeSender()
    await told(db, school, sender, 0)
    assert not sender.taken
    (skipped,) = await office.deliveries(state="skipped", channel="sms")
    assert skipped["reason"] == "bad_address"
    (dead,) = await office.deliveries(state="dead")
    assert (await office.post(f"/deliveries/{dead['id']}/resend")).json()["errors"][0]["code"] == "bad_address"


async def test_another_number_is_another_chance(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """The entry goes with the number; another guardian's stays; a change of the email alone changes nothing."""
    await told(db, school, refusing())
    assert len((await office.get("/bad-addresses")).json()["items"]) == 2
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET email = 'new@example.org'")
    assert len((await office.get("/bad-addresses", channel="sms")).json()["items"]) == 2
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET phone = '+2348077777777' WHERE id = $1", school.guardians[0])
    (left,) = (await office.get("/bad-addresses")).json()["items"]
    assert left["guardianId"] == str(school.guardians[1])
    sender = FakeSender()
    await told(db, school, sender)
    assert [each.address for each in sender.taken.values()] == ["+2348077777777"]


async def test_the_office_may_say_that_a_number_is_right(
    office: Office, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Cleared once, messages go there again."""
    await told(db, school, refusing(), 0)
    (bad,) = (await office.get("/bad-addresses")).json()["items"]
    assert (await office.delete(f"/bad-addresses/{bad['id']}")).status_code == 204
    assert (await office.delete(f"/bad-addresses/{bad['id']}")).status_code == 404
    sender = FakeSender()
    await told(db, school, sender, 0)
    assert len(sender.taken) == 1


async def test_a_receipt_finds_bad_numbers_too(office: Office, db: PostgresDatabase, school: MadeSchool) -> None:
    """A network that reports a number as unknown puts it on the list; one that was only out of reach does not."""
    await told(db, school, FakeSender())
    first, second = await office.deliveries(channel="sms")
    async with db.dispatch() as tx:
        for id_, reason in ((first["id"], "bad_address"), (second["id"], "unreachable_now")):
            await tx.execute(
                "UPDATE deliveries SET receipt_state = 'undelivered', receipt_reason = $2 WHERE id = $1", id_, reason
            )
    (bad,) = (await office.get("/bad-addresses")).json()["items"]
    assert (bad["deliveryId"], bad["reason"]) == (first["id"], "bad_address")


PATHS = (
    ("GET", "/trails?eventId={id}"), ("GET", "/dead-deliveries"), ("GET", "/bad-addresses"),
    ("POST", "/deliveries/{id}/resend"), ("POST", "/deliveries/resend"), ("POST", "/dead-deliveries/{id}/replay"),
    ("DELETE", "/dead-deliveries/{id}"), ("DELETE", "/bad-addresses/{id}"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.SCHOOL_ADMIN, True), (Role.PRINCIPAL, True), (Role.HEAD_OF_DEPARTMENT, False),
        (Role.CLASS_TEACHER, False), (Role.SUBJECT_TEACHER, False), (Role.BURSAR, False), (Role.GUARDIAN, False),
        (Role.STUDENT, False),
    ],
)  # fmt: skip
async def test_who_may(client: httpx.AsyncClient, school: MadeSchool, role: Role, may: bool) -> None:
    """Those who answer for the school's messages may; everyone else is told 403 by every route."""
    for method, path in PATHS:
        url = "/api/notifications" + path.format(id=uuid4())
        body = {"ids": [str(uuid4())]} if path == "/deliveries/resend" else None
        answer = await client.request(method, url, headers=bearer(school.as_(role)), json=body)
        assert (answer.status_code != 403) is may, (method, path, answer.status_code)


async def test_another_schools_messages_are_not_there(
    office: Office, client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """Another school's ids answer 404, are told as not found in a set, and move nothing."""
    await told(db, school, refusing(), 0)
    (dead,) = await office.deliveries(state="dead")
    (bad,) = (await office.get("/bad-addresses")).json()["items"]
    stranger = Office(client, (await make_school(db)).as_(Role.SCHOOL_ADMIN))
    assert (await stranger.post(f"/deliveries/{dead['id']}/resend")).status_code == 404
    assert (await stranger.post(f"/dead-deliveries/{dead['id']}/replay")).status_code == 404
    assert (await stranger.delete(f"/dead-deliveries/{dead['id']}")).status_code == 404
    assert (await stranger.delete(f"/bad-addresses/{bad['id']}")).status_code == 404
    (result,) = (await stranger.post("/deliveries/resend", {"ids": [dead["id"]]})).json()["results"]
    assert result["obstacle"] == "not_found"
    for query in ({"eventId": dead["eventId"]}, {"studentId": school.students[0]}):
        assert (await stranger.get("/trails", **query)).json()["items"] == []
    assert (await stranger.get("/bad-addresses")).json()["items"] == []
    assert [each["id"] for each in (await office.get("/dead-deliveries")).json()["items"]] == [dead["id"]]
