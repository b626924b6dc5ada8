"""Calendars that programs subscribe to: what they show, whom, for how long, and who can't get at them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from icalendar import Calendar

from cluster.settings import HttpSettings, Settings
from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.ids import TimetableId
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_requests import keep_timetable

BASE = "https://school.example"
ROOT = "/api/timetable"
LAGOS = ZoneInfo("Africa/Lagos")


@dataclass(frozen=True, slots=True)
class Office:
    """A school of two arms with a timetable, and requests about its calendars."""

    client: httpx.AsyncClient
    settings: Settings
    school: MadeSchool
    timetable: TimetableId

    async def send(self, who: Role | Principal, method: str, path: str, **rest: Any) -> httpx.Response:
        """Send a request about the timetable as somebody."""
        principal = self.school.as_(who) if isinstance(who, Role) else who
        headers = bearer(principal, self.settings) | rest.pop("headers", {})
        return await self.client.request(method, f"{ROOT}/{self.timetable}{path}", headers=headers, **rest)

    async def publish(self) -> None:
        """Publish its only version."""
        answer = await self.send(Role.SCHOOL_ADMIN, "POST", "/publish", json={"version": 1})
        assert answer.status_code == 200, answer.text

    async def linked(self, who: Role | Principal, **body: Any) -> str:
        """Return the path of somebody's calendar."""
        answer = await self.send(who, "POST", "/calendar-link", json=body)
        assert answer.status_code == 200, answer.text
        url = str(answer.json()["url"])
        assert answer.json()["webcal"] == url.replace("https:", "webcal:")
        assert url.startswith(f"{BASE}/calendars/")
        return url.removeprefix(BASE)

    async def lessons(self, path: str) -> list[Any]:
        """Return the events of a calendar, fetched without a token."""
        answer = await self.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
        return list(Calendar.from_ical(answer.content).events)

    @property
    def ruby(self) -> str:
        """The class of the first student."""
        return str(self.school.arms[0])

    @property
    def emerald(self) -> str:
        """The other class."""
        return str(self.school.arms[1])


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the test database."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state, http=HttpSettings(public_url=BASE))


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture
async def office(db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings) -> Office:
    """A school with a published timetable."""
    school = await make_school(db, arms=2)
    made = Office(client, settings, school, await keep_timetable(db, school))
    await made.publish()
    return made


async def test_a_class_is_followed_without_a_login(office: Office) -> None:
    """Its lessons come at their hours in the school's zone, with subject, teacher and class, and nothing else of it."""
    events = await office.lessons(await office.linked(Role.GUARDIAN, classArmId=office.ruby))
    assert len(events) == 10
    mathematics = min((each for each in events if each["summary"] == "Mathematics"), key=lambda each: each.start)
    assert (mathematics.start, mathematics.end) == (
        datetime(2027, 9, 6, 8, 0, tzinfo=LAGOS),
        datetime(2027, 9, 6, 8, 40, tzinfo=LAGOS),
    )
    assert str(mathematics["description"]) == "JSS 2 Ruby\nMr Musa"
    assert {name for each in events for name in each} <= {
        *("SUMMARY", "DTSTART", "DTEND", "DTSTAMP", "UID", "RRULE", "EXDATE", "DESCRIPTION", "CATEGORIES", "TRANSP"),
        *("SEQUENCE", "LAST-MODIFIED", "LOCATION"),
    }


async def test_there_are_no_lessons_between_terms_and_on_closed_days(office: Office) -> None:
    """A closure that the school adds takes its days out of every calendar, as the holidays between terms are."""
    path = await office.linked(Role.GUARDIAN, classArmId=office.ruby)
    before = (await office.client.get(path)).headers["ETag"]
    closed = {"name": "Independence Day", "startsOn": "2027-10-01", "endsOn": "2027-10-01"}
    admin = bearer(office.school.as_(Role.SCHOOL_ADMIN), office.settings)
    added = await office.client.post("/api/school/closures", json=closed, headers=admin)
    assert added.status_code == 201, added.text
    assert (await office.client.get(path)).headers["ETag"] != before
    left_out = {
        each.dt.date()
        for event in await office.lessons(path)
        for part in _several(event, "exdate")
        for each in part.dts
    }
    assert date(2027, 10, 1) in left_out
    assert date(2027, 12, 27) in left_out
    assert date(2027, 10, 4) not in left_out


def _several(event: Any, name: str) -> list[Any]:
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


async def test_no_cover_is_needed_on_a_closed_day(office: Office) -> None:
    """Asked for cover on such a day, the answer says why none is needed."""
    closed = {"name": "Independence Day", "startsOn": "2027-10-01", "endsOn": "2027-10-01"}
    admin = bearer(office.school.as_(Role.SCHOOL_ADMIN), office.settings)
    await office.client.post("/api/school/closures", json=closed, headers=admin)
    teacher = str(office.school.staff[Role.SUBJECT_TEACHER])
    told = {}
    for on in ("2027-09-30", "2027-10-01", "2027-10-02", "2027-12-27", "2030-01-07"):
        answer = await office.send(Role.SCHOOL_ADMIN, "GET", "/cover", params={"teacherId": teacher, "on": on})
        assert answer.status_code == 200, answer.text
        told[on] = (len(answer.json()["lessons"]), answer.json()["noneNeeded"])
        assert all(" on Thursday, period " in lesson["name"] for lesson in answer.json()["lessons"])
    assert told == {
        "2027-09-30": (2, None),
        "2027-10-01": (0, "No cover is needed on 01/10/2027: the school is closed: Independence Day."),
        "2027-10-02": (0, "No cover is needed on 02/10/2027: no lessons are held on such a day."),
        "2027-12-27": (0, "No cover is needed on 27/12/2027: it is between terms."),
        "2030-01-07": (0, "No cover is needed on 07/01/2030: it is not in the session 2027/2028."),
    }


async def test_an_unchanged_calendar_is_not_sent_again(office: Office) -> None:
    """A program that knows the ETag gets 304; a change that is not published makes no difference, a withdrawal does."""
    path = await office.linked(Role.SUBJECT_TEACHER, teacherId=str(office.school.staff[Role.SUBJECT_TEACHER]))
    first = await office.client.get(path)
    assert first.headers["Cache-Control"] == "private, max-age=900"
    known = {"If-None-Match": f'W/{first.headers["ETag"]}, "other"'}
    await office.send(Role.SCHOOL_ADMIN, "POST", "/roll-back", json={"version": 1}, headers={"If-Match": '"1"'})
    again = await office.client.get(path, headers=known)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    await office.send(Role.SCHOOL_ADMIN, "POST", "/publish", json={"version": 2})
    assert (await office.client.get(path, headers=known)).status_code == 200


async def test_a_subscription_outlives_what_is_published(office: Office, db: PostgresDatabase) -> None:
    """Another timetable of the session takes the place of the first; with none published the calendar is empty."""
    path = await office.linked(Role.GUARDIAN, classArmId=office.ruby)
    await office.send(Role.SCHOOL_ADMIN, "DELETE", "/publish")
    assert await office.lessons(path) == []
    other = Office(office.client, office.settings, office.school, await keep_timetable(db, office.school))
    await other.publish()
    events = await office.lessons(path)
    assert len(events) == 10
    assert all(str(other.timetable) in event["uid"] for event in events)


async def test_an_address_stays_until_it_is_renewed_or_ended(office: Office) -> None:
    """Asked again it is the same; renewed, the old one shows nothing; ended, nothing does."""
    first = await office.linked(Role.GUARDIAN, classArmId=office.ruby)
    assert await office.linked(Role.GUARDIAN, classArmId=office.ruby) == first
    second = await office.linked(Role.GUARDIAN, classArmId=office.ruby, renew=True)
    students = await office.linked(Role.STUDENT, classArmId=office.ruby)
    assert (await office.client.get(first)).status_code == 404
    assert (await office.client.get(second)).status_code == 200
    ended = await office.send(Role.GUARDIAN, "DELETE", "/calendar-link", params={"classArmId": office.ruby})
    assert ended.status_code == 204
    assert (await office.client.get(second)).status_code == 404
    everyone = {"classArmId": office.ruby, "everyone": "true"}
    refused = await office.send(Role.GUARDIAN, "DELETE", "/calendar-link", params=everyone)
    assert refused.status_code == 403
    assert (await office.client.get(students)).status_code == 200
    assert (await office.send(Role.SCHOOL_ADMIN, "DELETE", "/calendar-link", params=everyone)).status_code == 204
    assert (await office.client.get(students)).status_code == 404


async def test_who_may_follow_whom(office: Office) -> None:
    """Families their own class, teachers themselves, those who make timetables anyone; a name nobody has is told."""
    own, other = office.school.staff[Role.SUBJECT_TEACHER], office.school.staff[Role.CLASS_TEACHER]
    asked = [
        (Role.GUARDIAN, {"classArmId": office.emerald}, 404),
        (Role.STUDENT, {"teacherId": str(own)}, 404),
        (Role.SUBJECT_TEACHER, {"teacherId": str(own)}, 200),
        (Role.SUBJECT_TEACHER, {"teacherId": str(other)}, 404),
        (Role.SUBJECT_TEACHER, {"classArmId": office.ruby}, 404),
        (Role.SCHOOL_ADMIN, {"teacherId": str(other)}, 200),
        (Role.SCHOOL_ADMIN, {"roomId": "Lab A"}, 422),
        (Role.SCHOOL_ADMIN, {}, 422),
        (Role.SCHOOL_ADMIN, {"classArmId": office.ruby, "teacherId": str(own)}, 422),
        (Role.BURSAR, {"classArmId": office.ruby}, 403),
    ]
    for role, body, status in asked:
        answer = await office.send(role, "POST", "/calendar-link", json=body)
        assert answer.status_code == status, (role, body, answer.text)


async def test_what_somebody_may_not_see_any_more_is_not_shown(office: Office, db: PostgresDatabase) -> None:
    """A child who changes class and an account that is closed end what their calendars show."""
    guardian, student = office.school.as_(Role.GUARDIAN), office.school.as_(Role.STUDENT)
    theirs = await office.linked(guardian, classArmId=office.ruby)
    own = await office.linked(student, classArmId=office.ruby)
    async with db.tenant(office.school.id) as tx:
        await tx.execute("UPDATE users SET active = false WHERE id = $1", student.user_id)
    assert (await office.client.get(own)).status_code == 404
    assert (await office.client.get(theirs)).status_code == 200
    async with db.tenant(office.school.id) as tx:
        await tx.execute(
            "UPDATE enrolments SET class_arm_id = $1 WHERE student_id = $2", office.school.arms[1], student.student_id
        )
    assert (await office.client.get(theirs)).status_code == 404


async def test_a_token_that_is_not_ours_opens_nothing(office: Office, db: PostgresDatabase) -> None:
    """One changed anywhere, cut, spelt otherwise, or of another school's link answers 404, and guessing is limited."""
    path = await office.linked(Role.GUARDIAN, classArmId=office.ruby)
    token = path.removeprefix("/calendars/").removesuffix(".ics")
    wrong = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in (0, 21, 42, 63)]
    wrong += [token[:-4], token + "AAAA", token[:-1] + "=", "x", "%2e%2e"]
    for each in wrong:
        assert (await office.client.get(f"/calendars/{each}.ics")).status_code == 404, each
    stranger = await make_school(db, arms=2)
    theirs = Office(office.client, office.settings, stranger, office.timetable)
    answer = await theirs.send(Role.SCHOOL_ADMIN, "POST", "/calendar-link", json={"classArmId": office.ruby})
    assert answer.status_code == 404
    statuses = {(await office.client.get("/calendars/guess.ics")).status_code for _ in range(80)}
    assert statuses == {404, 429}
    assert (await office.client.get(path)).status_code == 200


async def test_a_calendar_is_fetched_so_often(office: Office) -> None:
    """A program gone wild is told to wait, and nobody else is."""
    wild = await office.linked(Role.GUARDIAN, classArmId=office.ruby)
    calm = await office.linked(Role.STUDENT, classArmId=office.ruby)
    known = {"If-None-Match": (await office.client.get(wild)).headers["ETag"]}
    answers = [await office.client.get(wild, headers=known) for _ in range(25)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await office.client.get(calm)).status_code == 200
