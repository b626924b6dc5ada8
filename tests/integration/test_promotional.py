"""What a school calls promotional: by which sender it goes, when, to whom not, and what the trail says of it (C-16)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from cluster.settings import Settings, SmsSettings, TwilioSettings
from cluster.wiring_senders import open_senders
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.events.dead_letters import DeadLetters
from core.ids import DeliveryId, EventId
from core.notifications.fallback import FallBack
from core.notifications.model import Channel, OutgoingMessage, Text
from core.notifications.trail import Trail
from core.notifications.trail_records import DeliveryTrail, MessageTrail
from core.ports import Database
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
from tests.factories.providers import LoopbackTwilio, answering
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.timing import settle

EVENING = datetime(2027, 9, 13, 19, 30, tzinfo=UTC)  # 20:30 in Lagos
TAKEN = {"SMSMessageData": {"Message": "Sent", "Recipients": [{"statusCode": 101, "messageId": "AT1", "cost": "0"}]}}


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of one student, to which fee reminders are promotional and whose own nights are not quiet."""
    made = await make_school(db, students=1)
    await settle(db, made, holdBackMinutes=0, quietHours=None, promotional=["fee.reminder"])
    return made


async def message(db: PostgresDatabase, school: MadeSchool, event_id: EventId) -> MessageTrail:
    """Return what the office reads of the only message of an event."""
    office, use = school.as_(Role.SCHOOL_ADMIN), Trail(db, DeadLetters(db))
    (found,) = (await use.messages(office, event_id=event_id, limit=10)).items
    return found


def sms_of(trail: MessageTrail) -> DeliveryTrail:
    """Return the SMS of a message."""
    (found,) = [each for each in trail.deliveries if each.delivery.channel is Channel.SMS]
    return found


async def known_as_do_not_disturb(db: PostgresDatabase, school: MadeSchool) -> None:
    """Let an SMS to the school's guardian come back as do-not-disturb."""
    event = await fanned_out(db, school, scores_published(school), channels=frozenset({Channel.SMS}))
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'dead', died_at = now(), next_attempt_at = NULL, reason = 'do_not_disturb'"
            " WHERE channel = 'sms' AND event_id = $1",
            event.id,
        )


async def test_only_what_is_promotional_takes_that_route(db: PostgresDatabase, school: MadeSchool) -> None:
    """Of a reminder and an absence the provider is told which is promotional, and so is the office."""
    sender, only_sms = FakeSender(), frozenset({Channel.SMS})
    day = FakeClock(EVENING.replace(hour=10))
    reminder = await fanned_out(db, school, fee_reminder(school, school.students), channels=only_sms, clock=day)
    absence = await fanned_out(
        db, school, attendance_marked(school, absent=school.students), channels=only_sms, clock=day
    )
    async with delivering(db, {Channel.SMS: sender}, clock=day):
        await settled(db, school)
    for event, promotional, planned in (
        (reminder, True, "planned for SMS as promotional to +234"),
        (absence, False, "planned for SMS to +234"),
    ):
        told = sms_of(await message(db, school, event.id))
        assert told.story[0].said.startswith(planned)
        assert sender.taken[told.delivery.id].promotional is promotional


async def test_a_fallback_to_sms_is_as_promotional_as_its_kind(db: PostgresDatabase, school: MadeSchool) -> None:
    """What is lost by mail goes on by SMS on the route of its kind, at that route's price."""
    clock = FakeClock(EVENING.replace(hour=10))
    prices = [{"provider": "at", "segmentKobo": 300}, {"provider": "at", "route": "promotional", "segmentKobo": 100}]
    await settle(db, school, PolicyKind.SMS_PRICING, prices=prices)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['email', 'sms']")
    await fanned_out(db, school, fee_reminder(school, school.students), clock=clock)
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'dead', reason = 'provider_rejected', died_at = $1, finished_at = $1,"
            " next_attempt_at = NULL WHERE channel = 'email'",
            clock.now(),
        )
    await FallBack(db, clock, ALL).look()
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT event_type, sms_rules FROM deliveries WHERE channel = 'sms'")
    carried: Mapping[str, Any] = {row["event_type"]: row["sms_rules"] for row in rows}
    reminder, absence = carried["fee.reminder"], carried["attendance.marked"]
    assert (reminder["promotional"], reminder["rates"]) == (True, {"at": 100})
    assert ("promotional" in absence, absence["rates"]) == (False, {"at": 300})


async def test_the_trail_says_until_when_a_promotional_sms_waits(db: PostgresDatabase, school: MadeSchool) -> None:
    """At 20:30 the SMS waits for 08:00, and why is told; nothing is due before."""
    event = await fanned_out(db, school, fee_reminder(school, school.students), clock=FakeClock(EVENING))
    told = sms_of(await message(db, school, event.id))
    expected = "waiting for its first attempt: promotional: waits until 08:00, the end of quiet hours"
    assert told.delivery.explanation == expected
    assert told.story[-1].said == expected


async def test_the_trail_says_that_mail_took_the_place_of_an_sms(db: PostgresDatabase, school: MadeSchool) -> None:
    """To a number on the DND list no promotional SMS is sent, mail is, and the verdict names both."""
    await known_as_do_not_disturb(db, school)
    day = FakeClock(EVENING.replace(hour=10))
    event = await fanned_out(db, school, fee_reminder(school, school.students), clock=day)
    found = await message(db, school, event.id)
    assert found.verdict == ("on its way by email (number is on the DND list: promotional SMS not sent, email instead)")
    (step,) = sms_of(found).story
    assert step.said == (
        "ruled out for SMS: not sent: the number is on the network's do-not-disturb (DND) list, and the message is"
        " promotional"
    )


def out(*, promotional: bool) -> OutgoingMessage:
    """Return an SMS."""
    return OutgoingMessage(DeliveryId(uuid4()), "+2348031234567", Text("", "Hello", 1), promotional)


async def asked(db: Database, **groups: Any) -> None:
    """Send a plain and a promotional SMS as the settings say."""
    async with open_senders(Settings(**groups), db, SystemClock()) as senders:
        for promotional in (False, True):
            await senders[Channel.SMS].send(out(promotional=promotional))


@pytest.mark.parametrize(("named", "used"), [("PROMO", "PROMO"), (None, "SCHOOL")])
async def test_africas_talking_has_a_promotional_sender_id(db: Database, named: str | None, used: str) -> None:
    """The settings' promotional sender id stands in ``from`` of what is promotional, else the usual one."""
    seen: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((await request.post())["from"])
        return web.json_response(TAKEN, status=201)

    async with answering(answer) as url:
        sms = SmsSettings(endpoint=url, api_key=SecretStr("k"), sender_id="SCHOOL", promotional_sender_id=named)
        await asked(db, sms=sms)
    assert seen == ["SCHOOL", used]


@pytest.mark.parametrize(
    ("named", "field", "used"),
    [("MG2", "MessagingServiceSid", "MG2"), ("PROMO", "From", "PROMO"), (None, "MessagingServiceSid", "MG1")],
)
async def test_twilio_has_a_promotional_sender(db: Database, named: str | None, field: str, used: str) -> None:
    """A messaging service or sender of its own takes what is promotional, else the usual one; never both."""
    loopback = LoopbackTwilio()
    async with answering(loopback.answer) as url:
        twilio = TwilioSettings(
            endpoint=url, account_sid="AC1", auth_token=SecretStr("token"), sender="MG1", promotional_sender=named
        )
        await asked(db, twilio=twilio)
    plain, promotional = loopback.forms
    assert plain["MessagingServiceSid"] == "MG1"
    assert promotional[field] == used
    assert ("From" in promotional) != ("MessagingServiceSid" in promotional)
