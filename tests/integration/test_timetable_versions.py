"""Timetables that are there: swapped, judged, published, read by everybody, taken away; none of it needs a search."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.settings import Settings
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.http import make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_people import ROOT, Person
from tests.factories.timetable_requests import keep_timetable, portal_request


@dataclass(frozen=True, slots=True)
class Kept:
    """A school with a timetable, its administrator, and the timetable as they read it."""

    school: MadeSchool
    admin: Person
    made: dict[str, Any]

    def person(self, role: Role) -> Person:
        """Return somebody else of the school."""
        return Person(self.admin.client, self.admin.settings, self.school, role)


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the test database."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state)


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture
async def kept(db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings) -> Kept:
    """A school of two arms whose timetable was written down."""
    school = await make_school(db, arms=2)
    admin = Person(client, settings, school, Role.SCHOOL_ADMIN)
    return Kept(school, admin, await admin.get(f"/{await keep_timetable(db, school)}"))


async def test_a_swap_is_checked_before_it_is_made(kept: Kept) -> None:
    """A swap makes a version; one that breaks a law answers 409 with its sentence; an old ETag answers 412."""
    admin, made = kept.admin, kept.made
    path = f"/{made['id']}/swap"
    ruby, emerald = made["grid"]["classes"]
    lessons = {lesson["id"]: lesson for lesson in made["grid"]["lessons"]}
    first = next(cell[0] for day in ruby["days"] for cell in day if cell)
    taken = next(
        lesson
        for lesson in lessons.values()
        if lesson["teachers"] == lessons[first]["teachers"] and lesson["classes"][0]["id"] == emerald["id"]
    )
    there = {"classArmId": ruby["id"], "day": taken["day"], "period": int(taken["period"])}
    refused = await admin.post(path, {"slot1": {"lessonId": first}, "slot2": there}, 409, headers={"If-Match": '"1"'})
    assert "at the same time" in refused["detail"]
    free = await anext(
        {"classArmId": ruby["id"], "day": made["grid"]["days"][d]["name"], "period": p + 1}
        for d, day in enumerate(ruby["days"])
        for p, cell in enumerate(day)
        if not cell and await fits(admin, made, first, made["grid"]["days"][d]["periods"][p]["slot"])
    )
    swapped = await admin.post(path, {"slot1": {"lessonId": first}, "slot2": free}, headers={"If-Match": '"1"'})
    assert (swapped["version"]["number"], swapped["version"]["hard"]) == (2, 0)
    await admin.post(path, {"slot1": {"lessonId": first}, "slot2": free}, 412, headers={"If-Match": '"1"'})
    await admin.post(path, {"slot1": {"lessonId": first}, "slot2": free}, 428)
    told = await admin.get(f"/{made['id']}/compare?from=1&to=2")
    assert [each["lesson"] for each in told["moved"]] == [first]
    assert "moves from" in told["moved"][0]["sentence"]
    back = await admin.post(f"/{made['id']}/roll-back", {"version": 1}, 201, headers={"If-Match": '"2"'})
    assert (back["number"], back["basedOn"]) == (3, 1)
    assert (await admin.get(f"/{made['id']}/compare?from=1&to=3"))["moved"] == []


async def fits(admin: Person, made: dict[str, Any], lesson: str, slot: int) -> bool:
    """Tell whether a lesson could be in a slot, by the checker's word."""
    placed = [
        {"lesson": one["id"], "slot": slot if one["id"] == lesson else one["slot"]} for one in made["grid"]["lessons"]
    ]
    body = {"timetableId": made["id"], "timetable": {"placements": placed}, "complete": True}
    return bool((await admin.post("/validate", body))["valid"])


async def test_a_partial_timetable_is_judged(kept: Kept) -> None:
    """Two lessons of a class at once are named with who and when; what is missing counts where it is asked."""
    admin, made = kept.admin, kept.made
    ruby = made["grid"]["classes"][0]["id"]
    two = [one["id"] for one in made["grid"]["lessons"] if one["classes"][0]["id"] == ruby][:2]
    placed = [{"lesson": one, "slot": {"day": "Monday", "period": 2}} for one in two]
    body = {"timetableId": made["id"], "timetable": placed}
    verdict = await admin.post("/validate", body)
    assert not verdict["valid"]
    assert any("JSS 2 Ruby" in each["sentence"] and "Monday" in each["sentence"] for each in verdict["violations"])
    whole = await admin.post("/validate", {**body, "timetable": placed[:1], "complete": True})
    assert sum(each["rule"] == "not_placed" for each in whole["violations"]) == 19


async def test_who_sees_which_timetable(kept: Kept, db: PostgresDatabase) -> None:
    """Teachers see what is published, families their own class of it, other schools nothing."""
    admin, made = kept.admin, kept.made
    school, teacher = kept.school, kept.person(Role.SUBJECT_TEACHER)
    stranger = Person(admin.client, admin.settings, await make_school(db), Role.SCHOOL_ADMIN)
    assert (await teacher.get(""))["items"] == []
    await teacher.get(f"/{made['id']}", 404)
    published = await admin.post(f"/{made['id']}/publish", {"version": 1})
    assert published["publishedVersion"] == 1
    assert [each["id"] for each in (await teacher.get(""))["items"]] == [made["id"]]
    assert len((await teacher.get(f"/{made['id']}"))["grid"]["classes"]) == 2
    for person in (kept.person(Role.STUDENT), kept.person(Role.GUARDIAN)):
        grid = (await person.get(f"/{made['id']}"))["grid"]
        assert [week["name"] for week in grid["classes"]] == ["JSS 2 Ruby"]
        assert (len(grid["lessons"]), grid["teachers"], grid["rooms"]) == (10, [], [])
    await stranger.get(f"/{made['id']}", 404)
    await teacher.post("/generate", portal_request(school), 403)
    async with db.tenant(school.id, read_only=True) as tx:
        events = await tx.fetch("SELECT payload FROM outbox WHERE type = 'timetable.published'")
    assert [event["payload"]["version"] for event in events] == [1]
    second = await keep_timetable(db, school)
    await admin.post(f"/{second}/publish", {"version": 1})
    assert [each["id"] for each in (await teacher.get(""))["items"]] == [str(second)]


async def test_a_timetable_is_taken_away_and_bettered(kept: Kept) -> None:
    """A week as a grid, as a sheet, in Excel, as a calendar once it is published, and suggestions that break no law."""
    admin, made, client = kept.admin, kept.made, kept.admin.client
    path, ruby = f"{ROOT}/{made['id']}", made["grid"]["classes"][0]["id"]
    week = await admin.get(f"/{made['id']}/week?classArmId={ruby}")
    assert (week["name"], week["weeks"][0]["days"][0]) == ("JSS 2 Ruby", "Monday")
    workbook = await client.get(f"{path}/workbook.xlsx", headers=admin.headers)
    assert (workbook.status_code, workbook.content[:2]) == (200, b"PK")
    page = await client.get(f"{path}/page.html", params={"classArmId": ruby}, headers=admin.headers)
    assert (page.text.count('<section class="sheet"'), "JSS 2 Ruby" in page.text) == (1, True)
    await admin.get(f"/{made['id']}/calendar.ics?classArmId={ruby}", 409)
    await admin.post(f"/{made['id']}/publish", {"version": 1})
    student = kept.person(Role.STUDENT)
    calendar = await client.get(f"{path}/calendar.ics", params={"classArmId": ruby}, headers=student.headers)
    assert calendar.text.count("BEGIN:VEVENT") == 10
    await student.get(f"/{made['id']}/week?classArmId={made['grid']['classes'][1]['id']}", 404)
    found = await admin.get(f"/{made['id']}/suggestions?lessonId={made['grid']['lessons'][0]['id']}")
    assert found["suggestions"]
    first = next(one for one in made["grid"]["lessons"] if one["day"] == "Monday")
    absent = f"teacherId={first['teachers'][0]['id']}&on=2027-09-13"
    covered = (await admin.get(f"/{made['id']}/cover?{absent}"))["lessons"]
    assert first["id"] in {each["lesson"] for each in covered}
    assert all(each["chosen"] or each["reason"] for each in covered)
    assert all(each["hardGain"] >= 0 and each["sentence"] for each in found["suggestions"])
