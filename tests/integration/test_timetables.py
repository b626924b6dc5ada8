"""Timetables over HTTP, with real solvers: asked for, watched, read by everybody, swapped, repaired, published."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from cluster.settings import Settings
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.timetable.conducting import Conductor
from core.timetable.formats.generated import read_generated
from core.timetable.formats.native import write_problem
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_requests import conducting, ended, portal_request, standing
from tests.factories.timetables import planted

ROOT = "/api/timetable"


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
async def conductor(db: PostgresDatabase, database_url: str) -> AsyncIterator[Conductor]:
    """A conductor at work."""
    async with conducting(db, database_url) as made:
        yield made


class Person:
    """Requests as one person."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings, school: MadeSchool, role: Role) -> None:
        self.client = client
        self.headers = bearer(school.as_(role), settings)

    async def get(self, path: str, status: int = 200) -> Any:
        """Return the body of an answer of this status."""
        answer = await self.client.get(f"{ROOT}{path}", headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        """Return the body of an answer of this status."""
        answer = await self.client.post(f"{ROOT}{path}", json=body, headers={**self.headers, **(headers or {})})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def searched(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Start a search and return how it ended."""
        job = (await self.post(path, body, 202, headers))["jobId"]
        return await ended(self.client, self.headers, job)


async def admin_of(db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings) -> tuple[MadeSchool, Person]:
    """Return a school of two arms and its administrator."""
    school = await make_school(db, arms=2)
    return school, Person(client, settings, school, Role.SCHOOL_ADMIN)


async def made_timetable(school: MadeSchool, admin: Person) -> dict[str, Any]:
    """Return a timetable of the school."""
    job = await admin.searched("/generate", portal_request(school))
    assert job["status"] == "done", job
    made: dict[str, Any] = await admin.get(f"/{job['timetableId']}")
    return made


@pytest.mark.usefixtures("conductor")
async def test_a_request_becomes_a_complete_grid(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """The portals' request ends as a grid by class, teacher and room, with the school's names and clock times."""
    school, admin = await admin_of(db, client, settings)
    started = await admin.client.post(
        f"{ROOT}/generate",
        json=portal_request(school, roomConstraints=[{"subjectId": str(school.subjects[0]), "room": "Lab A"}]),
        headers=admin.headers | {"Idempotency-Key": uuid4().hex},
    )
    assert started.status_code == 202, started.text
    job = started.json()["jobId"]
    assert started.headers["Location"] == f"/api/jobs/{job}"
    told = await ended(client, admin.headers, job)
    assert (told["status"], told["state"], told["error"]) == ("done", "succeeded", None)
    assert told["elapsed"].endswith("s")
    result = await admin.get(f"/jobs/{job}/result")
    grid = result["grid"]
    assert result["version"]["hard"] == 0
    assert (len(grid["lessons"]), grid["unplaced"]) == (20, [])
    assert [week["name"] for week in grid["classes"]] == ["JSS 2 Ruby", "JSS 2 Emerald"]
    assert grid["days"][0]["periods"][1]["startsAt"] == "08:40"
    assert {week["name"] for week in grid["rooms"]} == {"Lab A"}
    lessons = {lesson["id"]: lesson for lesson in grid["lessons"]}
    for week in (*grid["classes"], *grid["teachers"], *grid["rooms"]):
        assert all(len(cell) <= 1 for day in week["days"] for cell in day)
    assert sum(len(cell) for day in grid["classes"][0]["days"] for cell in day) == 10
    assert {lesson["subject"]["name"] for lesson in lessons.values()} == {"Mathematics", "English Language"}


@pytest.mark.usefixtures("conductor")
async def test_the_impossible_is_told_before_any_search(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """Counting shows that a teacher has too few periods: 422 in sentences, and no job."""
    school, admin = await admin_of(db, client, settings)
    teacher = str(school.staff[Role.SUBJECT_TEACHER])
    body = portal_request(school, maxPeriodsPerDay={teacher: 1})
    refused = await admin.post("/generate", body, 422)
    assert "10 periods" in refused["errors"][0]["detail"]
    assert refused["errors"][0]["code"] == "overload"
    assert (await client.get("/api/jobs", headers=admin.headers)).json()["items"] == []


@pytest.mark.usefixtures("conductor")
async def test_an_infeasible_timed_out_and_cancelled_search_are_three_things(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """What no counting finds ends as infeasible with its smallest conflict; a stop ends as cancelled within moments."""
    _, admin = await admin_of(db, client, settings)
    told = await admin.searched("/generate", {"problem": conflicting_problem(), "seconds": 20})
    assert (told["status"], told["state"]) == ("infeasible", "failed")
    assert told["error"]["reasons"], told["error"]
    why = await admin.searched("/explain", {"problem": conflicting_problem(), "seconds": 20})
    assert (why["status"], why["result"]["feasible"], why["result"]["isMinimal"]) == ("done", False, True)
    await admin.get(f"/jobs/{told['jobId']}/result", 409)
    job = (await admin.post("/generate", long_request(), 202))["jobId"]
    await standing(client, admin.headers, job, lambda now: now["soft"] is not None)
    before = monotonic()
    assert (await client.post(f"/api/jobs/{job}/cancel", headers=admin.headers)).status_code == 202
    told = await ended(client, admin.headers, job)
    took = monotonic() - before
    assert (told["status"], told["state"]) == ("cancelled", "cancelled")
    assert took < 5


def conflicting_problem() -> dict[str, Any]:
    """Return a problem of which counting finds nothing, and that has no solution: a late lesson before an early one."""
    lessons = [
        {"id": name, "subject": "s", "course": name, "teachers": [f"t{name}"], "groups": [f"g{name}"]} for name in "abc"
    ]
    rules = [
        {"kind": "order", "first": {"lessons": ["a"]}, "second": {"lessons": ["b"]}},
        {"kind": "preferred_slots", "lessons": {"lessons": ["a"]}, "slots": [2, 3, 4], "hard": True},
        {"kind": "preferred_slots", "lessons": {"lessons": ["b"]}, "slots": [0, 1, 2], "hard": True},
        {"kind": "preferred_slots", "lessons": {"lessons": ["c"]}, "slots": [1, 2, 3], "hard": True},
    ]
    return {
        "calendar": {"days": [{"name": "Monday", "periods": [{"name": str(i)} for i in range(1, 6)]}]},
        "subjects": [{"id": "s", "name": "Art"}],
        "teachers": [{"id": f"t{name}", "name": f"Teacher {name}"} for name in "abc"],
        "groups": [{"id": f"g{name}", "name": f"Class {name}"} for name in "abc"],
        "lessons": lessons,
        "rules": rules,
    }


def long_request() -> dict[str, Any]:
    """Return a request whose timetables are soon found and whose best nobody proves within the test."""
    hidden = read_generated(planted(classes=10, teachers=15, seed=1))
    return {"problem": json.loads(write_problem(hidden)), "seconds": 300}


def searching_processes() -> list[psutil.Process]:
    """Return the children of this process in which solvers run."""
    return [
        child for child in psutil.Process().children(recursive=True) if "core.timetable" in " ".join(child.cmdline())
    ]


async def test_a_lost_conductor_leaves_its_search_to_the_next(
    db: PostgresDatabase, database_url: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """What nobody holds any more is begun again, and ends once."""
    school, admin = await admin_of(db, client, settings)
    job = (await admin.post("/generate", portal_request(school), 202))["jobId"]
    async with db.dispatch() as tx:
        lost = await tx.execute(
            "UPDATE timetable_races SET state = 'running', lease_owner = 'dead', lease_until = now() - interval '1 s',"
            " starts = 1 WHERE state = 'queued'"
        )
    assert lost == 1
    async with conducting(db, database_url), conducting(db, database_url):
        told = await ended(client, admin.headers, job)
    assert told["status"] == "done"
    assert len((await admin.get(f"/{told['timetableId']}/versions"))["items"]) == 1


@pytest.mark.usefixtures("conductor")
async def test_a_swap_is_checked_before_it_is_made(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A swap makes a version; one that breaks a law answers 409 with its sentence; an old ETag answers 412."""
    school, admin = await admin_of(db, client, settings)
    made = await made_timetable(school, admin)
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


@pytest.mark.usefixtures("conductor")
async def test_a_partial_timetable_is_judged(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """Two lessons of a class at once are named with who and when; what is missing counts where it is asked."""
    school, admin = await admin_of(db, client, settings)
    made = await made_timetable(school, admin)
    ruby = made["grid"]["classes"][0]["id"]
    two = [one["id"] for one in made["grid"]["lessons"] if one["classes"][0]["id"] == ruby][:2]
    placed = [{"lesson": one, "slot": {"day": "Monday", "period": 2}} for one in two]
    body = {"timetableId": made["id"], "timetable": placed}
    verdict = await admin.post("/validate", body)
    assert not verdict["valid"]
    assert any("JSS 2 Ruby" in each["sentence"] and "Monday" in each["sentence"] for each in verdict["violations"])
    whole = await admin.post("/validate", {**body, "timetable": placed[:1], "complete": True})
    assert sum(each["rule"] == "not_placed" for each in whole["violations"]) == 19


@pytest.mark.usefixtures("conductor")
async def test_a_repair_moves_the_fewest_lessons(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A teacher who is away in one of their lessons costs one move, proven, and pins stay."""
    school, admin = await admin_of(db, client, settings)
    made = await made_timetable(school, admin)
    teacher = str(school.staff[Role.SUBJECT_TEACHER])
    busy = next(one for one in made["grid"]["lessons"] if one["teachers"][0]["id"] == teacher)
    pin = next(one for one in made["grid"]["lessons"] if one["teachers"][0]["id"] != teacher)
    away = [{"id": teacher, "slots": [{"day": busy["day"], "period": int(busy["period"])}]}]
    told = await admin.searched(
        f"/{made['id']}/resolve",
        {"teachersAway": away, "pins": [pin["id"]], "seconds": 6},
        headers={"Idempotency-Key": "k"},
    )
    assert told["status"] == "done", told
    assert (told["result"]["isProven"], told["result"]["version"]) == (True, 2)
    assert len(told["result"]["moved"]) == told["result"]["fewestMoves"] >= 1
    assert busy["id"] in told["result"]["moved"]
    assert pin["id"] not in told["result"]["moved"]
    versions = (await admin.get(f"/{made['id']}/versions"))["items"]
    assert [(each["number"], each["basedOn"]) for each in versions] == [(2, 1), (1, None)]
    wrong = await admin.post(f"/{made['id']}/resolve", {"teachersAway": [{"id": "nobody"}]}, 422)
    assert wrong["errors"][0]["pointer"] == "/teachersAway/0"


@pytest.mark.usefixtures("conductor")
async def test_who_sees_which_timetable(db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings) -> None:
    """Teachers see what is published, families their own class of it, other schools nothing."""
    school, admin = await admin_of(db, client, settings)
    made = await made_timetable(school, admin)
    teacher = Person(client, settings, school, Role.SUBJECT_TEACHER)
    student = Person(client, settings, school, Role.STUDENT)
    stranger = Person(client, settings, await make_school(db), Role.SCHOOL_ADMIN)
    assert (await teacher.get(""))["items"] == []
    await teacher.get(f"/{made['id']}", 404)
    published = await admin.post(f"/{made['id']}/publish", {"version": 1})
    assert published["publishedVersion"] == 1
    assert [each["id"] for each in (await teacher.get(""))["items"]] == [made["id"]]
    assert len((await teacher.get(f"/{made['id']}"))["grid"]["classes"]) == 2
    for person in (student, Person(client, settings, school, Role.GUARDIAN)):
        grid = (await person.get(f"/{made['id']}"))["grid"]
        assert [week["name"] for week in grid["classes"]] == ["JSS 2 Ruby"]
        assert (len(grid["lessons"]), grid["teachers"], grid["rooms"]) == (10, [], [])
    await stranger.get(f"/{made['id']}", 404)
    await teacher.post("/generate", portal_request(school), 403)
    async with db.tenant(school.id, read_only=True) as tx:
        events = await tx.fetch("SELECT payload FROM outbox WHERE type = 'timetable.published'")
    assert [event["payload"]["version"] for event in events] == [1]
    second = await made_timetable(school, admin)
    await admin.post(f"/{second['id']}/publish", {"version": 1})
    assert [each["id"] for each in (await teacher.get(""))["items"]] == [second["id"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"constraints": {"teacherAssignments": []}}, "/constraints/teacherAssignments"),
        ({"sessionId": str(uuid4())}, "/sessionId"),
        ({"problem": {"calendar": {"days": []}}}, "/problem/calendar/days"),
        ({"seconds": 0}, "/seconds"),
        ({"nonsense": 1}, "/nonsense"),
        ({"name": "a\x00b"}, ""),
    ],
)
async def test_a_wrong_request_is_told_where(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings, body: dict[str, Any], pointer: str
) -> None:
    """Each mistake comes with its place."""
    school, admin = await admin_of(db, client, settings)
    whole = body if "problem" in body else {**portal_request(school), **body}
    refused = await admin.post("/generate", whole, 422)
    assert pointer in {fault["pointer"] for fault in refused["errors"]}


async def test_a_body_has_ten_megabytes_at_most(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A larger one is refused with 413, a stranger's teacher with 422 and the place."""
    school, admin = await admin_of(db, client, settings)
    large = await client.post(f"{ROOT}/generate", content=b" " * 11_000_000, headers=admin.headers)
    assert large.status_code == 413
    body = portal_request(school)
    body["constraints"]["teacherAssignments"][1]["teacherId"] = str(uuid4())
    refused = await admin.post("/generate", body, 422)
    assert refused["errors"][0]["pointer"] == "/constraints/teacherAssignments/1/teacherId"


async def test_no_process_is_left(
    db: PostgresDatabase, database_url: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """Half a second after a stop of a running search no process of its solvers is there."""
    _, admin = await admin_of(db, client, settings)
    async with conducting(db, database_url):
        job = (await admin.post("/generate", long_request(), 202))["jobId"]
        await standing(client, admin.headers, job, lambda now: now["soft"] is not None)
        assert searching_processes()
        await admin.post(f"/jobs/{job}/cancel", None, 202)
        await ended(client, admin.headers, job)
        await asyncio.to_thread(psutil.wait_procs, searching_processes(), 0.5)
        assert searching_processes() == []


@pytest.mark.usefixtures("conductor")
async def test_a_timetable_is_taken_away_and_bettered(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A week as a grid, as a sheet, in Excel, as a calendar once it is published, and suggestions that break no law."""
    school, admin = await admin_of(db, client, settings)
    made = await made_timetable(school, admin)
    path, ruby = f"{ROOT}/{made['id']}", made["grid"]["classes"][0]["id"]
    week = await admin.get(f"/{made['id']}/week?classArmId={ruby}")
    assert (week["name"], week["weeks"][0]["days"][0]) == ("JSS 2 Ruby", "Monday")
    workbook = await client.get(f"{path}/workbook.xlsx", headers=admin.headers)
    assert (workbook.status_code, workbook.content[:2]) == (200, b"PK")
    page = await client.get(f"{path}/page.html", params={"classArmId": ruby}, headers=admin.headers)
    assert (page.text.count('<section class="sheet"'), "JSS 2 Ruby" in page.text) == (1, True)
    await admin.get(f"/{made['id']}/calendar.ics?classArmId={ruby}", 409)
    await admin.post(f"/{made['id']}/publish", {"version": 1})
    student = Person(client, settings, school, Role.STUDENT)
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
