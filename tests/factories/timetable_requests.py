"""What a portal asks of the timetable's routes, and a conductor that answers in the test's own process."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx

from core.access.principal import Role
from core.adapters.postgres_signal import PostgresSignal
from core.clock import SystemClock
from core.ids import TimetableId, new_id
from core.ports import Database
from core.timetable import store
from core.timetable.checker import validate
from core.timetable.conducting import WAKE_CHANNEL, Conductor, ConductorPolicy
from core.timetable.formats.native import write_problem, write_timetable
from core.timetable.formats.school import problem_of
from core.timetable.formats.school_request import SchoolRequest
from core.timetable.model import Placement, Problem, Timetable
from core.timetable.records import NewVersion
from core.timetable.stage import LocalStage, Stage
from tests.factories.school import MadeSchool

QUICK = ConductorPolicy(tell_every=timedelta(milliseconds=50), look_every=timedelta(milliseconds=50))


def portal_request(school: MadeSchool, **constraints: Any) -> dict[str, Any]:
    """Return the portals' request for the school's own loads, five a week of two subjects in each arm."""
    staff = dict(zip(school.subjects, _teachers(school), strict=True))
    loads = [
        {"teacherId": staff[subject], "subjectId": str(subject), "classArmId": str(arm), "periodsPerWeek": 5}
        for arm in school.arms
        for subject in school.subjects
    ]
    wanted = {"teacherAssignments": loads, **constraints}
    return {"sessionId": str(school.session), "periodsPerDay": 4, "seconds": 20, "constraints": wanted}


async def keep_timetable(db: Database, school: MadeSchool) -> TimetableId:
    """Write down a timetable of the portals' request for a school of two arms, without any search.

    Ruby has Mathematics in the first period of each day and English in the second, Emerald the other way round.
    """
    asked = portal_request(school)
    asked.pop("seconds")
    problem = problem_of(SchoolRequest.model_validate(asked), _names(school))
    timetable = Timetable(placements=tuple(_placements(school, problem)))
    assert validate(problem, timetable, complete=True).valid
    kept, now = TimetableId(new_id()), SystemClock().now()
    async with db.tenant(school.id) as tx:
        digest = await store.keep_problem(tx, write_problem(problem).decode())
        await store.add(tx, kept, "Timetable 2027/2028", school.session, created_by=None, now=now)
        new = NewVersion(problem_digest=digest, hard=0, soft=0)
        await store.add_version(tx, kept, new, write_timetable(timetable).decode(), created_by=None, now=now)
    return kept


def _names(school: MadeSchool) -> dict[str, str]:
    arms = dict(zip(map(str, school.arms), ("JSS 2 Ruby", "JSS 2 Emerald"), strict=True))
    subjects = dict(zip(map(str, school.subjects), ("Mathematics", "English Language"), strict=True))
    return arms | subjects | dict(zip(_teachers(school), ("Mr Musa", "Mrs Bello"), strict=True))


def _placements(school: MadeSchool, problem: Problem) -> Iterator[Placement]:
    met: Counter[str] = Counter()
    for lesson in problem.lessons:
        swapped = lesson.groups[0] == str(school.arms[1])
        first = lesson.subject == str(school.subjects[0])
        yield Placement(lesson=lesson.id, slot=4 * met[lesson.course] + (first == swapped))
        met[lesson.course] += 1


def _teachers(school: MadeSchool) -> list[str]:
    return [str(school.staff[Role.SUBJECT_TEACHER]), str(school.staff[Role.CLASS_TEACHER])]


@asynccontextmanager
async def conducting(
    db: Database, database_url: str, *, stage: Stage | None = None, policy: ConductorPolicy = QUICK
) -> AsyncIterator[Conductor]:
    """Run a conductor in this process, with racers in its children."""
    name = f"conductor-{uuid4().hex[:8]}"
    signal = PostgresSignal(database_url, WAKE_CHANNEL, application_name=name)
    conductor = Conductor(db, SystemClock(), stage or LocalStage(2), signal, worker=name, policy=policy)
    running = asyncio.create_task(conductor.run())
    try:
        yield conductor
    finally:
        await conductor.stop(0)
        await running
        await signal.close()


async def ended(
    client: httpx.AsyncClient, headers: Mapping[str, str], job: str, within_s: float = 60
) -> dict[str, Any]:
    """Return a search when it has ended."""
    return await standing(client, headers, job, lambda told: told["status"] != "solving", within_s)


async def standing(
    client: httpx.AsyncClient, headers: Mapping[str, str], job: str, holds: Any, within_s: float = 60
) -> dict[str, Any]:
    """Return a search as soon as something holds of it."""
    until = monotonic() + within_s
    while monotonic() < until:
        answer = await client.get(f"/api/timetable/jobs/{job}", headers=dict(headers))
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        if holds(told):
            return told
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {told}")
