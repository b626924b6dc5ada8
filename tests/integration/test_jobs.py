"""Long work as one uniform resource."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.errors import Conflict, NotFound, NotPermitted
from core.ids import SchoolId
from core.jobs.model import JobState
from core.jobs.service import Jobs
from core.jobs.sweeping import JobSweeper, SweepPolicy
from deployments.ground.job import asker_of
from tests.factories.access import make_school_row
from tests.factories.http import bearer, make_client, make_principal, settings_for


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> SchoolId:
    """A school."""
    return await make_school_row(db, "jobs-school")


@pytest.fixture
def jobs(db: PostgresDatabase) -> Jobs:
    """The use cases, which look often."""
    return Jobs(db, SystemClock(), look_every=timedelta(milliseconds=5))


@pytest.fixture
def teacher(school: SchoolId) -> Principal:
    """Someone with jobs:read."""
    return make_principal(school, Role.SUBJECT_TEACHER)


@pytest.fixture(scope="module")
async def http(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state)) as client:
        yield client


async def test_progress_never_falls_and_gives_an_eta(jobs: Jobs, school: SchoolId, teacher: Principal) -> None:
    """Late reports don't set a job back, and the pace so far tells when it will be done."""
    job = await jobs.create(asker_of(teacher), kind="report_cards", total=100)
    assert (job.state, job.eta(SystemClock().now())) == (JobState.QUEUED, None)
    await jobs.progress(school, job.id, done=50, failed=2)
    await jobs.progress(school, job.id, done=40, failed=1)
    running = await jobs.get(asker_of(teacher), job=job.id)
    assert (running.state, running.done, running.failed) == (JobState.RUNNING, 50, 2)
    assert running.started_at is not None
    half = running.started_at + timedelta(seconds=10)
    assert running.eta(half) == half + timedelta(seconds=10)


async def test_the_first_end_counts(jobs: Jobs, school: SchoolId, teacher: Principal) -> None:
    """A finished job stays as it is, whoever reports afterwards."""
    job = await jobs.create(asker_of(teacher), kind="import")
    await jobs.finish(school, job.id, JobState.SUCCEEDED, result={"rows": 3})
    await jobs.finish(school, job.id, JobState.FAILED, error={"title": "late"})
    assert await jobs.progress(school, job.id, done=9) is False
    ended = await jobs.get(asker_of(teacher), job=job.id)
    assert (ended.state, ended.result, ended.error, ended.done) == (JobState.SUCCEEDED, {"rows": 3}, None, 0)


async def test_cancelling_stops_queued_work_at_once_and_asks_running_work(
    jobs: Jobs, school: SchoolId, teacher: Principal
) -> None:
    """A queued job is cancelled here; a running one learns it at its next report; a finished one refuses."""
    queued = await jobs.create(asker_of(teacher), kind="import")
    assert (await jobs.request_cancel(asker_of(teacher), job=queued.id)).state is JobState.CANCELLED
    running = await jobs.create(asker_of(teacher), kind="import")
    assert await jobs.progress(school, running.id, done=1) is True
    assert (await jobs.request_cancel(asker_of(teacher), job=running.id)).state is JobState.RUNNING
    assert await jobs.progress(school, running.id, done=2) is False
    with pytest.raises(Conflict):
        await jobs.request_cancel(asker_of(teacher), job=queued.id)


async def test_jobs_are_seen_by_those_who_may(
    jobs: Jobs, db: PostgresDatabase, school: SchoolId, teacher: Principal
) -> None:
    """Guardians see their own jobs, staff the school's, nobody another school's; only admins cancel others' work."""
    guardian = make_principal(school, Role.GUARDIAN)
    own = await jobs.create(asker_of(guardian), kind="export")
    others = await jobs.create(asker_of(teacher), kind="import")
    seen = await jobs.list_page(asker_of(guardian), kind=None, state=None, after=None, limit=10)
    assert [job.id for job in seen] == [own.id]
    with pytest.raises(NotFound):
        await jobs.get(asker_of(guardian), job=others.id)
    assert (await jobs.get(asker_of(teacher), job=own.id)).id == own.id
    with pytest.raises(NotPermitted):
        await jobs.request_cancel(asker_of(teacher), job=own.id)
    await jobs.request_cancel(asker_of(make_principal(school, Role.SCHOOL_ADMIN)), job=own.id)
    stranger = make_principal(await make_school_row(db, "jobs-other"), Role.SCHOOL_ADMIN)
    for refused in (jobs.get, jobs.request_cancel):
        with pytest.raises(NotFound):
            await refused(asker_of(stranger), job=own.id)


async def test_the_routes_list_read_and_cancel(http: httpx.AsyncClient, jobs: Jobs, teacher: Principal) -> None:
    """Jobs are read newest first by page, one by one, and cancelled."""
    made = [await jobs.create(asker_of(teacher), kind="paged") for _ in range(3)]
    headers = bearer(teacher)
    first = await http.get("/api/jobs?kind=paged&limit=2", headers=headers)
    rest = await http.get(first.links["next"]["url"], headers=headers)
    ids = [item["id"] for item in first.json()["items"] + rest.json()["items"]]
    assert ids == [str(job.id) for job in reversed(made)]
    cancelled = await http.post(f"/api/jobs/{made[0].id}/cancel", headers=headers)
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    read = (await http.get(f"/api/jobs/{made[0].id}", headers=headers)).json()
    assert {"id", "kind", "state", "done", "failed", "total", "eta", "error", "result", "createdAt"} <= set(read)
    for path in ("", "/events"):
        assert (await http.get(f"/api/jobs/{uuid4()}{path}", headers=headers)).status_code == 404
    odd = await http.get(f"/api/users?cursor={first.links['next']['url'].split('cursor=')[1]}", headers=headers)
    assert odd.status_code == 404


async def test_a_watched_job_is_told_until_it_ends(
    http: httpx.AsyncClient, jobs: Jobs, school: SchoolId, teacher: Principal
) -> None:
    """The stream begins with the job as it is, tells changes and ends with the end."""
    job = await jobs.create(asker_of(teacher), kind="import", total=2)
    watching = asyncio.create_task(http.get(f"/api/jobs/{job.id}/events", headers=bearer(teacher)))
    await jobs.progress(school, job.id, done=1)
    await jobs.finish(school, job.id, JobState.SUCCEEDED)
    answer = await watching
    assert answer.headers["content-type"].startswith("text/event-stream")
    states = [json.loads(line[6:])["state"] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert states[-1] == "succeeded"
    assert answer.text.count("event: job") == len(states)
    assert REGISTRY.get_sample_value("active_websocket_connections") == 0


async def test_a_job_whose_worker_died_ends_in_words(
    db: PostgresDatabase, school: SchoolId, teacher: Principal
) -> None:
    """A running job that is heard of no more is failed, or cancelled where that was asked; a heartbeat keeps it."""
    clock = FakeClock()
    jobs, asker, sweeper = Jobs(db, clock), asker_of(teacher), JobSweeper(db, clock)
    await sweeper.sweep()  # what other tests left running
    lost, kept, unwanted, waiting = [await jobs.create(asker, kind="report_cards") for _ in range(4)]
    for job in (lost, kept, unwanted):
        assert await jobs.heartbeat(school, job.id)
    await jobs.request_cancel(asker, job=unwanted.id)
    assert not await jobs.heartbeat(school, unwanted.id)
    assert await sweeper.sweep() == 0
    clock.advance(SweepPolicy().dead_after)
    assert await jobs.heartbeat(school, kept.id)
    clock.advance(timedelta(seconds=1))
    assert await sweeper.sweep() == 2
    states = {job.id: (await jobs.get(asker, job=job.id)).state for job in (lost, kept, unwanted, waiting)}
    assert list(states.values()) == [JobState.FAILED, JobState.RUNNING, JobState.CANCELLED, JobState.QUEUED]
    error = (await jobs.get(asker, job=lost.id)).error
    assert error is not None
    assert "interrupted" in error["title"]
    assert not await jobs.heartbeat(school, lost.id)
