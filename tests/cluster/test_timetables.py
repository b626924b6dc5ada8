"""Searches for timetables over HTTP, with conductors in their pool and racers as tasks of real Ray."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import httpx
import pytest
import ray
from click.testing import CliRunner

from actors.pool import pool_status, start_pool, stop_pool
from actors.pool_spec import PoolSpec, no_backlog
from cluster import wiring_timetable as wiring
from cluster.embedded.ports import free_ports
from cluster.settings import Settings
from cluster.timetable_command import command as timetable
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.errors import SchoolOSError, Unavailable
from core.timetable.checker import validate
from core.timetable.formats.native import read_timetable, write_problem
from core.timetable.model import Problem
from tests.factories import tiny_school
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.timetable_requests import ended, portal_request, standing
from tests.fault.stall import watched

pytestmark = pytest.mark.usefixtures("ray_cluster")

ROOT = "/api/timetable"


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a system on the test's own services."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state)


@pytest.fixture(scope="module")
def pool(ray_cluster: None, settings: Settings) -> Iterator[PoolSpec]:
    """The conductors' pool, running."""
    spec = replace(wiring.conductor_pool(settings), name=f"timetable-{uuid.uuid4().hex[:8]}", drain_s=5)
    start_pool(spec, wiring.conductor_factory(settings), no_backlog)
    yield spec
    stop_pool(spec)


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture(scope="module")
async def school(database_url: str) -> AsyncIterator[MadeSchool]:
    """A school of two arms."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield await make_school(database, arms=2)
    await database.close()


@pytest.mark.usefixtures("pool")
async def test_a_request_becomes_a_timetable_on_the_cluster(
    client: httpx.AsyncClient, settings: Settings, school: MadeSchool
) -> None:
    """A search is queued over HTTP, run by racers in Ray tasks, and its result read; its repair is proven minimal."""
    admin = bearer(school.as_(Role.SCHOOL_ADMIN), settings)
    started = await client.post(f"{ROOT}/generate", json=portal_request(school), headers=admin)
    assert started.status_code == 202, started.text
    told = await ended(client, admin, started.json()["jobId"], within_s=120)
    assert told["status"] == "done", told
    result = await client.get(f"{ROOT}/jobs/{told['jobId']}/result", headers=admin)
    assert (result.status_code, len(result.json()["grid"]["lessons"])) == (200, 20)
    lesson = result.json()["grid"]["lessons"][0]
    away = {"teachersAway": [{"id": lesson["teachers"][0]["id"], "slots": [lesson["slot"]]}]}
    repair = await client.post(f"{ROOT}/{told['timetableId']}/resolve", json=away, headers=admin)
    assert repair.status_code == 202, repair.text
    told = await ended(client, admin, repair.json()["jobId"], within_s=120)
    assert (told["status"], told["result"]["isProven"]) == ("done", True), told


@pytest.mark.usefixtures("pool")
async def test_a_search_on_the_cluster_is_cancelled(
    client: httpx.AsyncClient, settings: Settings, school: MadeSchool, tmp_path: Path
) -> None:
    """Cancelling a running search ends it as cancelled, long before its time."""
    admin = bearer(school.as_(Role.SCHOOL_ADMIN), settings)
    job = await _long_search(client, school, admin, seconds=300)
    await standing(client, admin, job, lambda now: now["soft"] is not None, within_s=120)
    with watched(tmp_path) as stall:
        before = monotonic()
        assert (await client.post(f"{ROOT}/jobs/{job}/cancel", headers=admin)).status_code == 202
        told = await ended(client, admin, job, within_s=120)
        took_s = stall.own_s(before, monotonic())
    assert (told["status"], told["state"]) == ("cancelled", "cancelled")
    assert took_s < 10


async def test_a_killed_conductor_is_replaced_and_its_search_ends_once(
    client: httpx.AsyncClient, settings: Settings, school: MadeSchool, pool: PoolSpec
) -> None:
    """After kill -9 of the conductor the next one takes the search over when the lease has run out."""
    admin = bearer(school.as_(Role.SCHOOL_ADMIN), settings)
    job = await _long_search(client, school, admin, seconds=5)
    await standing(client, admin, job, lambda now: now["soft"] is not None, within_s=120)
    os.kill(_conductor(pool), signal.SIGKILL)
    told = await ended(client, admin, job, within_s=150)
    assert told["status"] == "done", told
    versions = await client.get(f"{ROOT}/{told['timetableId']}/versions", headers=admin)
    assert len(versions.json()["items"]) == 1


def test_the_command_races_on_a_cluster(tmp_path: Path) -> None:
    """``schoolos timetable solve --address`` has the racers run there and writes what they find, proven the best."""
    file, out = tmp_path / "school.json", tmp_path / "out.json"
    problem = two_lessons()
    file.write_bytes(write_problem(problem))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cluster.cli", "timetable", "solve", file, "--seconds", "60", "--json"),
            *("--out", out, "--address", ray.get_runtime_context().gcs_address),
        ],
        env={**os.environ, "SCHOOLOS_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["status"], told["hard"], told["soft"], told["bound"]) == ("optimal", 0, 1, 1)
    assert validate(problem, read_timetable(out.read_bytes(), problem), complete=True).valid


def test_the_command_says_at_once_where_no_cluster_answers(tmp_path: Path) -> None:
    """An address at which nobody listens is told in a sentence with what to do, and not tried for minutes."""
    file = tmp_path / "school.json"
    file.write_bytes(write_problem(two_lessons()))
    (port,) = free_ports(1, near=29_500)
    command = ["solve", str(file), "--address", f"127.0.0.1:{port}"]
    refused = CliRunner().invoke(timetable, command, env={"SCHOOLOS_STATE_DIR": str(tmp_path)}).exception
    assert isinstance(refused, Unavailable)
    assert "`schoolos up` starts one" in str(refused)


def two_lessons() -> Problem:
    """Return a problem of two lessons of a teacher that both want the first period."""
    wish = tiny_school.rule("preferred_slots", hard=False, lessons={}, slots=[0])
    return tiny_school.school(tiny_school.lesson("a"), tiny_school.lesson("b"), rules=(wish,))


async def _long_search(client: httpx.AsyncClient, school: MadeSchool, admin: dict[str, str], *, seconds: float) -> str:
    """Start a search whose cost can't be 0 and return its job."""
    wish = {"subjectId": str(school.subjects[0]), "periods": [1]}
    body = {**portal_request(school, preferredSlots=[wish], avoidConsecutive=[[str(each) for each in school.subjects]])}
    started = await client.post(f"{ROOT}/generate", json={**body, "seconds": seconds}, headers=admin)
    assert started.status_code == 202, started.text
    return str(started.json()["jobId"])


def _conductor(pool: PoolSpec) -> int:
    """Return the process of the pool's worker."""
    until = monotonic() + 60
    while monotonic() < until:
        try:
            pids = [worker.pid for worker in pool_status(pool).workers if worker.pid and worker.state == "running"]
        except SchoolOSError:
            pids = []
        if pids:
            return pids[0]
    raise AssertionError("the pool has no worker")
