"""The absence message's link: from the SMS to the reason in the register, without a login."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from markupsafe import escape

from cluster.settings import HttpSettings, Settings
from cluster.wiring_keys import installation_key
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.envelope import Event
from core.ids import DeliveryId
from core.notifications.absence_link import HOLDS_FOR, AbsenceLinks
from core.notifications.absence_link_reasons import AbsenceReason
from core.notifications.absence_words import words_in
from core.notifications.fanout import FanOut
from core.notifications.model import Channel, Delivery
from core.notifications.rendering import Templates
from core.school.model import Language
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import ALL
from tests.factories.school import MadeSchool, make_school

NOW = datetime(2027, 9, 20, 8, 0, tzinfo=UTC)
DAY = "2027-09-20"
BASE = "https://school.example"
EVIL = "<script>alert('x')</script> & \"friends\""


class Morning:
    """A school on a Monday morning whose first student was marked absent."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        settings: Settings,
        clock: FakeClock,
        school: MadeSchool,
        links: AbsenceLinks,
    ) -> None:
        self.client = client
        self.settings = settings
        self.clock = clock
        self.school = school
        self.links = links

    async def mark(self, status: str, version: int) -> None:
        """Save the register with the first student so, everyone else present."""
        entries = [
            {"studentId": str(each), "status": status if each == self.school.students[0] else "present"}
            for each in self.school.students
        ]
        answer = await self.client.put(
            f"/api/school/class-arms/{self.school.arms[0]}/attendance/{DAY}",
            headers=self.who(Role.CLASS_TEACHER) | {"If-Match": f'"{version}"'},
            json={"entries": entries},
        )
        assert answer.status_code == 200, answer.text

    def who(self, role: Role) -> dict[str, str]:
        """Return the headers of someone."""
        return bearer(self.school.as_(role), self.settings, self.clock)

    async def reason(self, role: Role = Role.CLASS_TEACHER) -> dict[str, str] | None:
        """Return what the register shows of the first student's reason."""
        path = f"/api/school/class-arms/{self.school.arms[0]}/attendance/{DAY}"
        lines = (await self.client.get(path, headers=self.who(role))).json()["lines"]
        (line,) = [each for each in lines if each["studentId"] == str(self.school.students[0])]
        assert line["status"] in {"absent", "late"}
        found: dict[str, str] | None = line["reason"]
        return found


@pytest.fixture
async def morning(database_url: str, db: PostgresDatabase, tmp_path: Path) -> AsyncIterator[Morning]:
    """A school with an absence that was fanned out."""
    clock = FakeClock(NOW)
    settings = settings_for(database_url, tmp_path, http=HttpSettings(public_url=BASE))
    key = installation_key(settings)
    assert key is not None
    async with make_client(settings, clock) as client:
        school = await make_school(db, students=2, guardians_per_student=2)
        made = Morning(client, settings, clock, school, AbsenceLinks(key, BASE))
        await made.mark("absent", 0)
        yield made


async def told(db: PostgresDatabase, morning: Morning) -> list[DeliveryId]:
    """Fan the school's events out and return the SMS deliveries, by guardian."""
    async with db.tenant(morning.school.id) as tx:
        rows = await tx.fetch("SELECT * FROM outbox WHERE handled_at IS NULL ORDER BY position")
    for row in rows:
        event = Event(
            row["id"], row["type"], row["version"], morning.school.id, NOW, row["traceparent"], row["payload"]
        )
        await FanOut(db, morning.clock, ALL)(event)
    async with db.tenant(morning.school.id) as tx:
        found = await tx.fetch(
            "SELECT d.id FROM deliveries d JOIN users u ON u.id = d.recipient_id WHERE d.channel = 'sms'"
            " ORDER BY d.occurred_at, u.username"
        )
    return [row["id"] for row in found]


async def link(db: PostgresDatabase, morning: Morning, number: int = 0) -> str:
    """Return the path of a guardian's link."""
    ids = await told(db, morning)
    return "/a/" + morning.links.token(ids[number], NOW + HOLDS_FOR)


async def rows(db: PostgresDatabase, morning: Morning) -> list[tuple[str, str]]:
    """Return every reason that was given, oldest first."""
    async with db.tenant(morning.school.id) as tx:
        return [(row["reason"], row["note"]) for row in await tx.fetch("SELECT * FROM absence_reasons ORDER BY id")]


async def test_a_guardian_says_why_and_the_class_teacher_reads_it(morning: Morning, db: PostgresDatabase) -> None:
    """The form takes reason and note; the register shows them beside the status, which stays absent."""
    path = await link(db, morning)
    assert await morning.reason() is None
    answer = await morning.client.post(path, data={"reason": "sick", "note": " Malaria,\n back on Thursday "})
    assert answer.status_code == 200, answer.text
    assert "Thank you" in answer.text
    shown = await morning.reason()
    assert shown is not None
    assert (shown["reason"], shown["note"]) == ("sick", "Malaria, back on Thursday")


async def test_who_reads_the_reason(morning: Morning, db: PostgresDatabase) -> None:
    """Class teacher and leaders read it; who only teaches the class a subject does not."""
    await morning.client.post(await link(db, morning), data={"reason": "family"})
    for role in (Role.CLASS_TEACHER, Role.PRINCIPAL, Role.SCHOOL_ADMIN):
        assert await morning.reason(role), role
    assert await morning.reason(Role.SUBJECT_TEACHER) is None


async def test_the_page_is_small_and_shows_little(morning: Morning, db: PostgresDatabase) -> None:
    """Below 5 kB, no script, nothing from elsewhere; of the student the given name and the day alone."""
    answer = await morning.client.get(await link(db, morning))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert len(answer.content) < 5000
    assert "Tọ́lá was not in school on 20/09/2027" in answer.text
    for hidden in ("Student0001", "JSS 2", str(morning.school.students[0]), "<script", "http"):
        assert hidden not in answer.text, hidden
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_reading_changes_nothing(morning: Morning, db: PostgresDatabase) -> None:
    """A phone that opens the link to preview it gives no reason."""
    path = await link(db, morning)
    for _ in range(3):
        await morning.client.get(path)
    assert await rows(db, morning) == []


async def test_a_later_reason_replaces_and_the_earlier_stays_in_the_books(
    morning: Morning, db: PostgresDatabase
) -> None:
    """The register shows the newest; every one is kept; the same again is not written twice."""
    path = await link(db, morning)
    for reason in ("sick", "sick", "transport"):
        assert (await morning.client.post(path, data={"reason": reason})).status_code == 200
    assert await rows(db, morning) == [("sick", ""), ("transport", "")]
    shown = await morning.reason()
    assert shown is not None
    assert shown["reason"] == "transport"
    assert "You have given a reason" in (await morning.client.get(path)).text


async def test_what_is_written_is_text_and_nothing_else(morning: Morning, db: PostgresDatabase) -> None:
    """A name of markup is shown as letters; a note of markup is kept as it is."""
    async with db.tenant(morning.school.id) as tx:
        await tx.execute("UPDATE students SET given_names = $1", EVIL)
    path = await link(db, morning)
    page = (await morning.client.get(path)).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    await morning.client.post(path, data={"reason": "other", "note": EVIL})
    assert await rows(db, morning) == [("other", EVIL)]


@pytest.mark.parametrize(
    "form",
    [
        {}, {"reason": "holiday"}, {"reason": "sick", "note": "x" * 201}, {"note": "x"},
        {"reason": "sick", "note": "\x00"}, {"reason": "sick", "note": "\u202egnp.exe"}, {"reason": "x" * 9000},
    ],
)  # fmt: skip
async def test_a_wrong_form_is_asked_again(morning: Morning, db: PostgresDatabase, form: dict[str, str]) -> None:
    """What can't be kept brings the form back, and nothing is kept."""
    answer = await morning.client.post(await link(db, morning), data=form)
    assert answer.status_code == 422
    assert "<form" in answer.text
    assert await rows(db, morning) == []


async def test_a_forged_link_is_a_friendly_404(morning: Morning, db: PostgresDatabase) -> None:
    """Made-up tokens, another installation's, and one of a delivery that is no absence open nothing."""
    stranger = AbsenceLinks(b"x" * 32, BASE).token((await told(db, morning))[0], NOW + HOLDS_FOR)
    other = morning.links.token(DeliveryId(UUID(int=1)), NOW + HOLDS_FOR)
    for token in ("x", "A" * 47, stranger, other):
        for answer in (
            await morning.client.get(f"/a/{token}"),
            await morning.client.post(f"/a/{token}", data={"reason": "sick"}),
        ):
            assert answer.status_code == 404
            assert "does not work" in answer.text
            assert answer.headers["content-type"].startswith("text/html")
    assert await rows(db, morning) == []


async def test_an_old_link_is_a_friendly_410(morning: Morning, db: PostgresDatabase) -> None:
    """After a week the link has ended, for reading and for giving."""
    path = await link(db, morning)
    morning.clock.advance(HOLDS_FOR + timedelta(hours=1))
    assert (await morning.client.get(path)).status_code == 410
    assert (await morning.client.post(path, data={"reason": "sick"})).status_code == 410
    assert await rows(db, morning) == []


async def speaks(db: PostgresDatabase, morning: Morning, language: str) -> None:
    """Let every guardian of the school read a language."""
    async with db.tenant(morning.school.id) as tx:
        await tx.execute("UPDATE guardians SET language = $1", language)


@pytest.mark.parametrize("language", list(Language))
async def test_the_page_is_in_the_guardians_language(
    morning: Morning, db: PostgresDatabase, language: Language
) -> None:
    """Form, complaint, thanks and the end of the link are in the language the message was in, and say which it is."""
    await speaks(db, morning, language)
    path, words = await link(db, morning), words_in(language)
    form = await morning.client.get(path)
    wrong = await morning.client.post(path, data={"reason": "holiday"})
    thanks = await morning.client.post(path, data={"reason": "sick"})
    morning.clock.advance(HOLDS_FOR + timedelta(hours=1))
    ended = await morning.client.get(path)
    assert [each.status_code for each in (form, wrong, thanks, ended)] == [200, 422, 200, 410]
    for answer, name in ((form, "ask_title"), (wrong, "choose"), (thanks, "thanks_title"), (ended, "ended_title")):
        assert f'<html lang="{language}">' in answer.text
        assert answer.headers["content-language"] == language
        assert str(escape(words.say(name))) in answer.text
        assert len(answer.content) < 5000
    assert all(str(escape(words.say(each.value))) in form.text for each in AbsenceReason)


async def test_the_language_is_switched_by_a_plain_link(morning: Morning, db: PostgresDatabase) -> None:
    """Each page links to itself in every language; what the address asks for counts before the guardian's own."""
    await speaks(db, morning, "ha")
    path = await link(db, morning)
    page = (await morning.client.get(path)).text
    assert re.findall(r'<a href="\?lang=(\w+)" lang="\1"', page) == list(Language)
    assert 'lang="ha" hreflang="ha" aria-current="true"' in page
    other = await morning.client.get(path, params={"lang": "ig"})
    assert '<html lang="ig">' in other.text
    thanks = await morning.client.post(path, params={"lang": "ig"}, data={"reason": "sick"})
    assert words_in(Language.IG).say("thanks_title") in thanks.text
    assert '<html lang="ha">' in (await morning.client.get(path, params={"lang": "<b>"})).text


async def test_a_wrong_link_speaks_the_browsers_language(morning: Morning) -> None:
    """Where no guardian is known the browser's first known language is taken, else English; the links are there too."""
    for header, language in (("fr-FR, yo-NG;q=0.8, en;q=0.5", "yo"), ("fr", "en"), ("", "en")):
        answer = await morning.client.get("/a/guess", headers={"Accept-Language": header})
        assert answer.status_code == 404
        assert f'<html lang="{language}">' in answer.text
        assert str(escape(words_in(Language(language)).say("wrong"))) in answer.text
        assert answer.text.count('<a href="?lang=') == len(Language)


async def test_a_mended_register_ends_the_link(morning: Morning, db: PostgresDatabase) -> None:
    """Once the student is present after all, there is nothing to give a reason for."""
    path = await link(db, morning)
    await morning.mark("present", 1)
    assert (await morning.client.get(path)).status_code == 410


async def test_a_guardian_who_is_one_no_more_is_not_heard(morning: Morning, db: PostgresDatabase) -> None:
    """A link of someone whose guardianship ended opens nothing."""
    path = await link(db, morning)
    async with db.tenant(morning.school.id) as tx:
        await tx.execute("DELETE FROM guardianships")
    assert (await morning.client.post(path, data={"reason": "sick"})).status_code == 404


async def test_each_guardian_has_a_word(morning: Morning, db: PostgresDatabase) -> None:
    """Two guardians' reasons stand beside each other; the newest is shown."""
    ids = await told(db, morning)
    assert len(ids) == 2
    for id_, reason in zip(ids, ("sick", "family"), strict=True):
        path = "/a/" + morning.links.token(id_, NOW + HOLDS_FOR)
        assert (await morning.client.post(path, data={"reason": reason})).status_code == 200
    assert await rows(db, morning) == [("sick", ""), ("family", "")]


async def test_a_link_is_not_hammered(morning: Morning, db: PostgresDatabase) -> None:
    """Past its allowance a link answers 429 with the time to wait, and so does one who guesses."""
    path = await link(db, morning)
    statuses = [(await morning.client.get(path)).status_code for _ in range(25)]
    assert statuses[:20] == [200] * 20
    assert statuses[-1] == 429
    guesses = [await morning.client.get("/a/guess") for _ in range(40)]
    assert guesses[0].status_code == 404
    assert guesses[-1].status_code == 429
    assert int(guesses[-1].headers["retry-after"]) >= 1


async def test_the_books_can_not_be_filled(morning: Morning, db: PostgresDatabase) -> None:
    """A reason is replaced twenty times at most."""
    id_ = (await told(db, morning))[0]
    path = "/a/" + morning.links.token(id_, NOW + HOLDS_FOR)
    async with db.tenant(morning.school.id) as tx:
        await tx.execute(
            "INSERT INTO absence_reasons"
            " (school_id, register_id, student_id, recipient_id, delivery_id, reason, given_at)"
            " SELECT r.school_id, r.id, d.student_id, d.recipient_id, d.id, 'sick', $2"
            " FROM deliveries d, attendance_registers r, generate_series(1, 20) WHERE d.id = $1",
            id_,
            NOW,
        )
    assert (await morning.client.post(path, data={"reason": "family"})).status_code == 429
    assert len(await rows(db, morning)) == 20


async def test_the_message_carries_the_link(morning: Morning, db: PostgresDatabase) -> None:
    """SMS, email and bell of an absence hold a link that opens the page of their own delivery."""
    await told(db, morning)
    templates = Templates(beside=morning.links.of)
    async with db.tenant(morning.school.id) as tx:
        row = await tx.fetchrow(
            "SELECT school_id, id, event_type, recipient_id, student_id, channel, address, language, content,"
            " attempts, failures, traceparent, created_at, occurred_at FROM deliveries WHERE channel = 'sms' LIMIT 1"
        )
    assert row is not None
    delivery = Delivery(**{**row, "channel": Channel(row["channel"])})
    content = {**delivery.content, **templates.beside(delivery)}
    text = templates.render(delivery.event_type, Channel.SMS, "en", content).body
    found = re.search(rf"{re.escape(BASE)}(/a/[\w-]{{47}})", text)
    assert found, text
    assert (await morning.client.get(found[1])).status_code == 200
