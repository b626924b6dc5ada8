"""The routes of what SMS cost: the price of a text before it is sent, and a month's spending."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.notifications.model import Channel
from core.notifications.preferences import EVENT_TYPES
from core.school.model import PolicyKind
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import delivering, fanned_out, fee_reminder, scores_published, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.sms import keep_budget, price, settle

NOW = datetime(2027, 11, 11, 8, 0, tzinfo=UTC)
MAY_PREVIEW = {Role.SCHOOL_ADMIN, Role.PRINCIPAL}
MAY_READ_SPEND = {Role.SCHOOL_ADMIN, Role.PRINCIPAL, Role.BURSAR}


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, on 11 November."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state), FakeClock(NOW)) as made:
        yield made


def auth(who: Principal) -> dict[str, str]:
    """Return the header of someone who asks that day."""
    return bearer(who, clock=FakeClock(NOW))


async def preview(client: httpx.AsyncClient, who: Principal, **body: Any) -> httpx.Response:
    """Ask what a text would cost."""
    return await client.post("/api/notifications/sms/preview", headers=auth(who), json=body)


async def spend(client: httpx.AsyncClient, who: Principal, **query: str) -> httpx.Response:
    """Ask what a month came to."""
    return await client.get("/api/notifications/spend", headers=auth(who), params=query)


async def told(db: PostgresDatabase, school: MadeSchool, clock: FakeClock) -> None:
    """Let the marks of every student be told by SMS at a moment."""
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with delivering(db, {Channel.SMS: FakeSender()}, clock=clock):
        await settled(db, school)


async def test_preview_of_a_text(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A text comes back cleaned, with its segments, what is left, and its price for one, a class and all."""
    school = await make_school(db, arms=2, students=3, guardians_per_student=2)
    await price(db, school, 250)
    text = "₦5,000 for Tọ́lá – due on 06/12/2027"
    answer = await preview(client, school.as_(Role.PRINCIPAL), text=text, classArmId=str(school.arms[1]))
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["text"] == "NGN 5,000 for Tola - due on 06/12/2027"
    assert (shown["encoding"], shown["units"], shown["segments"], shown["charactersLeft"]) == ("gsm7", 38, 1, 122)
    assert {"was": "₦", "now": "NGN"} in shown["replaced"]
    assert shown["costly"] == []
    assert (shown["provider"], shown["route"], shown["pricePerRecipientKobo"]) == ("fake", "transactional", 250)
    assert shown["allGuardians"] == {"recipients": 12, "messages": 12, "costKobo": 3_000}
    assert shown["classArm"] == {"recipients": 6, "messages": 6, "costKobo": 1_500}


async def test_preview_says_what_makes_it_dear(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A character without an equal stays, is named, and is paid for."""
    school = await make_school(db, students=1)
    shown = (await preview(client, school.as_(Role.PRINCIPAL), text="Well done 🎉" + "!" * 60)).json()
    assert (shown["encoding"], shown["units"], shown["segments"], shown["charactersLeft"]) == ("ucs2", 72, 2, 62)
    assert shown["costly"] == ["🎉"]
    assert shown["classArm"] is None


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_preview_of_every_kind_of_message(
    client: httpx.AsyncClient, db: PostgresDatabase, event_type: str
) -> None:
    """Each event's template can be priced with sample values, and with one's own."""
    school = await make_school(db, students=2)
    admin = school.as_(Role.SCHOOL_ADMIN)
    usual = (await preview(client, admin, eventType=event_type)).json()
    assert "Tola" in usual["text"]
    assert usual["segments"] == 1
    yoruba = (await preview(client, admin, eventType=event_type, language="yo", sample={"student": "Ṣadé"})).json()
    assert "Ṣadé" in yoruba["text"]
    assert (yoruba["encoding"], yoruba["segments"]) == ("ucs2", 2)


async def test_a_schools_own_words_are_priced(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Where a school has words of its own for a kind of message, these are what the preview prices."""
    school = await make_school(db, students=1)
    words = {"eventType": "fee.reminder", "channel": "sms", "language": "en", "text": "Pay {{ amount }} – thanks"}
    await settle(db, school, PolicyKind.MESSAGE_TEMPLATES, templates=[words])
    shown = (await preview(client, school.as_(Role.PRINCIPAL), eventType="fee.reminder")).json()
    assert shown["text"] == "Pay NGN 45,000.00 - thanks"


async def test_an_event_counts_every_child(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A guardian of two children is one recipient of a text and gets two messages of an event."""
    school = await make_school(db, students=2)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardianships SET guardian_id = $1", school.guardians[0])
    principal = school.as_(Role.PRINCIPAL)
    event = (await preview(client, principal, eventType="scores.published")).json()
    text = (await preview(client, principal, text="The school is closed tomorrow.")).json()
    assert (event["allGuardians"]["recipients"], event["allGuardians"]["messages"]) == (1, 2)
    assert (text["allGuardians"]["recipients"], text["allGuardians"]["messages"]) == (1, 1)


async def test_only_those_are_counted_whom_an_sms_reaches(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """No number, no consent, no wish for messages, or a student who has left: not counted."""
    school = await make_school(db, students=5)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET phone = NULL WHERE id = $1", school.guardians[0])
        await tx.execute(
            "INSERT INTO consents (school_id, id, guardian_id, channel, granted, source, recorded_at)"
            " VALUES (app_school(), gen_random_uuid(), $1, 'sms', false, 'portal', $2)",
            school.guardians[1], NOW,
        )  # fmt: skip
        await tx.execute(
            "UPDATE guardianships SET receives_messages = false WHERE guardian_id = $1", school.guardians[2]
        )
        await tx.execute("UPDATE students SET left_on = '2027-10-01' WHERE id = $1", school.students[3])
    shown = (await preview(client, school.as_(Role.PRINCIPAL), text="Hello")).json()
    assert shown["allGuardians"]["recipients"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "eventType": "scores.published"},
        {"eventType": "no.such"},
        {"text": ""},
        {"text": "a" * 1_601},
        {"text": "a", "language": "fr"},
        {"text": "a", "price": 1},
    ],
)
async def test_what_can_not_be_priced_is_refused(
    client: httpx.AsyncClient, db: PostgresDatabase, body: dict[str, Any]
) -> None:
    """Neither or both of text and event, an unknown event, language or field, and a text out of bounds answer 422."""
    school = await make_school(db, students=1)
    answer = await preview(client, school.as_(Role.PRINCIPAL), **body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_another_schools_class_is_not_there(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A class of another school answers 404, as does one that never was."""
    school, elsewhere = await make_school(db, students=1), await make_school(db, students=1)
    for arm in (elsewhere.arms[0], uuid.uuid4()):
        answer = await preview(client, school.as_(Role.PRINCIPAL), text="Hello", classArmId=str(arm))
        assert answer.status_code == 404


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.PLATFORM_ADMIN, Role.OPS, Role.ML}])
async def test_who_may_do_what(client: httpx.AsyncClient, db: PostgresDatabase, role: Role) -> None:
    """Principal and admin preview; they and the bursar read what was spent; nobody else does either."""
    school = await make_school(db, students=1)
    who = school.as_(role)
    assert (await preview(client, who, text="Hello")).status_code == (200 if role in MAY_PREVIEW else 403)
    assert (await spend(client, who)).status_code == (200 if role in MAY_READ_SPEND else 403)


async def test_nobody_asks_without_a_token(client: httpx.AsyncClient) -> None:
    """Both routes ask who is calling."""
    assert (await client.post("/api/notifications/sms/preview", json={"text": "Hello"})).status_code == 401
    assert (await client.get("/api/notifications/spend")).status_code == 401


async def test_a_months_spending_by_kind_day_and_class(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """The parts by kind, by day and by class each sum to the whole; the forecast goes on as the month began."""
    school = await make_school(db, arms=2, students=2)
    await keep_budget(db, school, 5_000)
    clock = FakeClock(NOW - timedelta(days=1, minutes=1))
    await told(db, school, clock)
    clock.advance(timedelta(days=1))
    await fanned_out(db, school, fee_reminder(school, school.students[:1]), clock=clock)
    async with delivering(db, {Channel.SMS: FakeSender()}, clock=clock):
        await settled(db, school)
    report = (await spend(client, school.as_(Role.BURSAR))).json()
    assert (report["month"], report["timeZone"]) == ("2027-11", "Africa/Lagos")
    assert (report["messages"], report["segments"], report["spentKobo"], report["reservedKobo"]) == (5, 5, 500, 0)
    elapsed = NOW - datetime(2027, 10, 31, 23, tzinfo=UTC)
    assert report["forecastKobo"] == round(500 * (timedelta(days=30) / elapsed))
    assert report["budget"] == {
        "monthlyKobo": 5_000,
        "hardStop": True,
        "warnAtPercent": 80,
        "leftKobo": 4_500,
        "standing": "open",
    }
    by = {name: [(each[key], each["spentKobo"]) for each in report[name]] for name, key in _KEYS.items()}
    assert by == {
        "byEventType": [("fee.reminder", 100), ("scores.published", 400)],
        "byDay": [("2027-11-10", 400), ("2027-11-11", 100)],
        "byClass": [("JSS 2 Emerald", 200), ("JSS 2 Ruby", 300)],
    }


_KEYS = {"byEventType": "eventType", "byDay": "day", "byClass": "classArmName"}


async def test_what_is_on_its_way_is_shown_as_promised(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Messages that wait to be sent count against the budget before they are spent, and the budget warns."""
    school = await make_school(db, students=4)
    await keep_budget(db, school, 500)
    await fanned_out(db, school, scores_published(school), clock=FakeClock(NOW))
    report = (await spend(client, school.as_(Role.PRINCIPAL))).json()
    assert (report["spentKobo"], report["reservedKobo"]) == (0, 400)
    assert (report["budget"]["leftKobo"], report["budget"]["standing"]) == (100, "warning")


async def test_a_past_month_keeps_its_sum(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """October's spending is October's, forecast and all; a month in which nothing was sent is empty."""
    school = await make_school(db, students=2)
    await price(db, school)
    await told(db, school, FakeClock(datetime(2027, 10, 31, 22, 59, tzinfo=UTC)))
    principal = school.as_(Role.PRINCIPAL)
    october = (await spend(client, principal, month="2027-10")).json()
    assert (october["spentKobo"], october["forecastKobo"], october["budget"]) == (200, 200, None)
    assert [each["day"] for each in october["byDay"]] == ["2027-10-31"]
    november = (await spend(client, principal)).json()
    assert (november["month"], november["spentKobo"], november["byDay"]) == ("2027-11", 0, [])


async def test_another_schools_spending_is_not_seen(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """What one school spent is in no other's report."""
    school, elsewhere = await make_school(db, students=2), await make_school(db, students=2)
    await told(db, school, FakeClock(NOW))
    report = (await spend(client, elsewhere.as_(Role.PRINCIPAL))).json()
    assert (report["messages"], report["spentKobo"], report["byEventType"]) == (0, 0, [])


@pytest.mark.parametrize("month", ["2027", "2027-13", "2027-00", "0000-01", "1899-01", "next"])
async def test_a_month_that_is_none_is_refused(client: httpx.AsyncClient, db: PostgresDatabase, month: str) -> None:
    """Only a month of the calendar can be asked for."""
    school = await make_school(db, students=1)
    assert (await spend(client, school.as_(Role.PRINCIPAL), month=month)).status_code == 422


async def test_a_school_settles_its_sms_by_policies(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Budget, prices and letters are policies: added over HTTP, they hold for the next preview."""
    school = await make_school(db, students=1)
    admin = auth(school.as_(Role.SCHOOL_ADMIN))
    bodies = {
        "sms_budget": {"monthlyKobo": 100_000, "hardStop": False, "warnAtPercent": 50},
        "sms_pricing": {"route": "dnd", "prices": [{"provider": "africas_talking", "segmentKobo": 210}]},
        "sms_text": {"letters": "plain"},
    }
    for kind, body in bodies.items():
        policy = {"kind": kind, "name": "Of the bursar", "body": body}
        answer = await client.post("/api/school/policies", headers=admin, json=policy)
        assert answer.status_code == 201, answer.text
    shown = (await preview(client, school.as_(Role.PRINCIPAL), text="Ẹ káàárọ̀", language="yo")).json()
    assert (shown["text"], shown["route"], shown["pricePerRecipientKobo"]) == ("E kaaaro", "dnd", 420)
    report = (await spend(client, school.as_(Role.PRINCIPAL))).json()
    assert report["budget"]["hardStop"] is False


async def test_the_letters_of_a_school_hold_for_the_preview(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A school that keeps all letters sees what that costs."""
    school = await make_school(db, students=1)
    await settle(db, school, PolicyKind.SMS_TEXT, letters="keep")
    shown = (await preview(client, school.as_(Role.PRINCIPAL), text="Tọ́lá")).json()
    assert (shown["text"], shown["encoding"], shown["costly"]) == ("Tọ́lá", "ucs2", ["ọ́", "á"])
