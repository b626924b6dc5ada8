"""Words of messages over HTTP: which hold, how they read, a school's own, and who may look."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.school.model import PolicyKind
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import fanned_out, scores_published
from tests.factories.school import MadeSchool, make_school
from tests.factories.timing import settle

OWN = {
    "eventType": "scores.published",
    "channel": "sms",
    "language": "yo",
    "text": "{{ student }}: {{ subject }}. Ẹ kú iṣẹ́.",
}


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings_for(database_url, tmp_path_factory.mktemp("state"))) as made:
        yield made


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of one student."""
    return await make_school(db, students=1)


async def preview(client: httpx.AsyncClient, who: Principal, **body: Any) -> httpx.Response:
    """Ask how a message will read."""
    return await client.post("/api/notifications/templates/preview", headers=bearer(who), json=body)


async def templates(client: httpx.AsyncClient, who: Principal) -> httpx.Response:
    """List the templates."""
    return await client.get("/api/notifications/templates", headers=bearer(who))


async def test_every_message_has_words_in_five_languages(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Each of four kinds by three channels in five languages is there, translated."""
    items = (await templates(client, school.as_(Role.SCHOOL_ADMIN))).json()["items"]
    assert len(items) == 60
    assert all(each["translated"] and not each["own"] for each in items)
    assert len({each["text"] for each in items}) == 60


@pytest.mark.parametrize("event_type", ["scores.published", "attendance.marked", "fee.reminder", "reports.published"])
async def test_a_preview_reads_as_the_message_will(
    client: httpx.AsyncClient, school: MadeSchool, event_type: str
) -> None:
    """Every channel and language is written out, with the segments of an SMS; nothing is left open."""
    answer = await preview(client, school.as_(Role.PRINCIPAL), eventType=event_type)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert len(items) == 15
    for each in items:
        assert "{{" not in each["body"]
        assert "{%" not in each["body"]
        assert bool(each["title"]) is (each["channel"] != "sms")
        assert (each["segments"] or 0) >= (each["channel"] == "sms")


async def test_a_digest_can_be_previewed(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Two children and twelve subjects: the SMS counts, the mail lists."""
    answer = await preview(
        client, school.as_(Role.PRINCIPAL), eventType="scores.published", language="en", several=True
    )
    told = {each["channel"]: each["body"] for each in answer.json()["items"]}
    assert "Oluwaseun (12 subjects), Temitope (Agricultural Science, Basic Science)" in told["sms"]
    assert "- Oluwaseun (JSS 2 Ruby): Agricultural Science, " in told["email"]


async def test_a_draft_is_read_in_place_of_what_holds(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Words that are not settled yet can be read; marks that make an SMS dear are told by its encoding."""
    draft = {"channel": "sms", "language": "yo", "text": OWN["text"]}
    answer = await preview(client, school.as_(Role.PRINCIPAL), eventType="scores.published", draft=draft)
    (item,) = answer.json()["items"]
    assert (item["body"], item["encoding"], item["segments"]) == ("Olúwáṣeun: Mathematics. Ẹ kú iṣẹ́.", "ucs2", 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ students }} has results", "there is no value students"),
        ("{{ student.__class__ }}", "no getattr"),
        ("{% for a in subjects %}{{ student }}{% endfor %}", "no for"),
        ("{{ student * 99999999 }}", "no mul"),
        ("{{ student", "unexpected end"),
        ("Results are out", "no value stands in it"),
        ("{{ student }}" + "x" * 480, "at most 480"),
        ("{% if count == 1 %}" * 60 + "{{ student }}" , ""),
    ],
)  # fmt: skip
async def test_words_that_can_not_be_used_are_refused(
    client: httpx.AsyncClient, school: MadeSchool, text: str, told: str
) -> None:
    """An unknown value, a loop, a reach into the system, a text too long: the draft and the policy refuse it alike."""
    admin = school.as_(Role.SCHOOL_ADMIN)
    draft = {"channel": "sms", "language": "en", "text": text}
    answer = await preview(client, admin, eventType="scores.published", draft=draft)
    assert answer.status_code == 422
    body = {"templates": [OWN | {"text": text}]}
    policy = {"kind": "message_templates", "name": "Ours", "body": body}
    refused = await client.post("/api/school/policies", headers=bearer(admin), json=policy)
    assert refused.status_code == 422
    for each in (answer, refused):
        assert told in each.text


async def test_a_schools_own_words_are_versions_of_a_policy_and_are_sent(
    client: httpx.AsyncClient, db: PostgresDatabase
) -> None:
    """Own words are listed as such, hold for their language only, and are what a guardian reads."""
    own = await make_school(db, students=1)
    admin = own.as_(Role.SCHOOL_ADMIN)
    for text in ("{{ student }}: old", OWN["text"]):
        policy = {"kind": "message_templates", "name": "Ours", "body": {"templates": [OWN | {"text": text}]}}
        assert (await client.post("/api/school/policies", headers=bearer(admin), json=policy)).status_code == 201
    listed = (await templates(client, admin)).json()["items"]
    assert [each["text"] for each in listed if each["own"]] == [OWN["text"]]

    async with db.tenant(own.id) as tx:
        await tx.execute("UPDATE guardians SET language = 'yo'")
    await fanned_out(db, own, scores_published(own), clock=FakeClock())
    async with db.tenant(own.id) as tx:
        rows = await tx.fetch("SELECT * FROM deliveries")
    told = {
        row["channel"]: Templates().render(row["event_type"], Channel(row["channel"]), "yo", row["content"]).body
        for row in rows
    }
    assert told["sms"] == "Tọ́lá: Mathematics. Ẹ kú iṣẹ́."
    assert "ti gbé èsì" in told["push"]


async def test_another_schools_words_are_not_seen(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """A school neither lists nor previews with the words of another."""
    other = await make_school(db, students=1)
    await settle(db, other, PolicyKind.MESSAGE_TEMPLATES, templates=[OWN])
    admin = school.as_(Role.SCHOOL_ADMIN)
    assert not any(each["own"] for each in (await templates(client, admin)).json()["items"])
    assert "kú iṣẹ́" not in (await preview(client, admin, eventType="scores.published")).text


async def test_words_are_for_those_who_answer_for_messages(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Administrator and principal may look; teachers, bursar, guardians and students may not; nor may nobody."""
    allowed = {Role.SCHOOL_ADMIN, Role.PRINCIPAL}
    for role, who in school.principals.items():
        expected = 200 if role in allowed else 403
        assert (await templates(client, who)).status_code == expected, role
        assert (await preview(client, who, eventType="fee.reminder")).status_code == expected, role
    assert (await client.get("/api/notifications/templates")).status_code == 401
    unknown = await preview(client, school.as_(Role.PRINCIPAL), eventType="no.such")
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/eventType"
