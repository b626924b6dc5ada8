"""Searches for timetables over HTTP, with real solvers: asked for, watched, stopped, taken over, repaired."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
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
from core.ids import JobId, new_id
from core.timetable import race_store
from core.timetable.conducting import Conductor
from core.timetable.formats.generated import read_generated
from core.timetable.formats.native import write_problem
from tests.factories.http import make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_people import ROOT, Person
from tests.factories.timetable_requests import conducting, ended, keep_timetable, portal_request, standing
from tests.factories.timetables import planted
from tests.fault.stall import watched


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


@pytest.fixture(scope="module")
async def conductor(db: PostgresDatabase, database_url: str) -> AsyncIterator[Conductor]:
    """A conductor at work."""
    async with conducting(db, database_url) as made:
        yield made


async def admin_of(db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings) -> tuple[MadeSchool, Person]:
    """Return a school of two arms and its administrator."""
    school = await make_school(db, arms=2)
    return school, Person(client, settings, school, Role.SCHOOL_ADMIN)


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
async def test_an_infeasible_search_says_why(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """What no counting finds ends as infeasible, no other end, with its smallest conflict; there is no result."""
    _, admin = await admin_of(db, client, settings)
    told = await admin.searched("/generate", {"problem": conflicting_problem(), "seconds": 20})
    assert (told["status"], told["state"]) == ("infeasible", "failed")
    assert told["error"]["reasons"], told["error"]
    why = await admin.searched("/explain", {"problem": conflicting_problem(), "seconds": 20})
    assert (why["status"], why["result"]["feasible"], why["result"]["isMinimal"]) == ("done", False, True)
    await admin.get(f"/jobs/{told['jobId']}/result", 409)


@pytest.mark.usefixtures("conductor")
async def test_a_search_is_stopped_within_moments_and_leaves_no_process(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings, tmp_path: Path
) -> None:
    """A stop ends it as cancelled, and half a second later no process of its solvers is there."""
    _, admin = await admin_of(db, client, settings)
    job = (await admin.post("/generate", long_request(), 202))["jobId"]
    await standing(client, admin.headers, job, lambda now: now["soft"] is not None)
    assert searching_processes()
    with watched(tmp_path) as stall:
        before = monotonic()
        assert (await client.post(f"/api/jobs/{job}/cancel", headers=admin.headers)).status_code == 202
        told = await ended(client, admin.headers, job)
        over = monotonic()
        assert (told["status"], told["state"]) == ("cancelled", "cancelled")
        await asyncio.to_thread(psutil.wait_procs, searching_processes(), 20)
        assert searching_processes() == []
        assert stall.own_s(before, over) < 5
        assert stall.own_s(over, monotonic()) < 0.5


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
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # also one that has ended and is not yet reaped
            if "core.timetable" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.usefixtures("conductor")
async def test_a_lost_conductor_leaves_its_search_to_the_next(
    db: PostgresDatabase, database_url: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """What nobody holds any more is begun again, and ends once."""
    school, admin = await admin_of(db, client, settings)
    job = (await admin.post("/generate", portal_request(school), 202))["jobId"]
    async with db.dispatch() as tx:
        lost = await tx.execute(
            "UPDATE timetable_races SET state = 'running', lease_owner = 'dead', lease_until = now() - interval '1 s',"
            " starts = 1 WHERE state <> 'ended'"
        )
    assert lost == 1
    async with conducting(db, database_url):
        told = await ended(client, admin.headers, job)
    assert told["status"] == "done"
    assert len((await admin.get(f"/{told['timetableId']}/versions"))["items"]) == 1


@pytest.mark.usefixtures("conductor")
async def test_a_repair_moves_the_fewest_lessons(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings
) -> None:
    """A teacher who is away in one of their lessons costs one move, proven, and pins stay."""
    school, admin = await admin_of(db, client, settings)
    made = await admin.get(f"/{await keep_timetable(db, school)}")
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


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"constraints": {"teacherAssignments": []}}, "/constraints/teacherAssignments"),
        ({"sessionId": str(uuid4())}, "/sessionId"),
        ({"problem": {"calendar": {"days": []}}}, "/problem/calendar/days"),
        ({"periodsOnDays": {"9": 4}}, "/periodsOnDays/9"),
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


@pytest.mark.usefixtures("conductor")
async def test_what_is_stopped_as_it_ends_stops_nothing_else(
    db: PostgresDatabase, client: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that is over by the time its stop is read is passed over, and the conductor goes on with the others."""
    over = JobId(new_id())

    async def cancelled(*_: object) -> list[JobId]:
        return [over]

    monkeypatch.setattr(race_store, "cancelled", cancelled)
    school, admin = await admin_of(db, client, settings)
    told = await admin.searched("/generate", {**portal_request(school), "seconds": 2})
    assert told["status"] == "done"
