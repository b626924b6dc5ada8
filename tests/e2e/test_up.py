"""One command brings the system up; nothing of it outlives the command, however it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import boto3
import httpx
import psutil
import pytest
from moto.server import ThreadedMotoServer

from cluster.embedded.ports import free_ports
from cluster.embedded.ray import short_enough
from cluster.embedded.redis import EmbeddedRedis
from cluster.state import RunRecord, StateFolder
from core.timetable.formats.native import write_problem
from tests.factories import tiny_school

START_S = 420
"""A start may take this long here: the suite shares the machine with whatever else runs on it."""
IDLE_BYTES = 2 * 1024**3
ROOT = Path(__file__).parents[2]
FOREIGN_JOB = """
import asyncio
from cluster.directory import settings_from_cluster
from cluster.wiring import open_database

async def main():
    async with open_database(settings_from_cluster(), application_name="foreign job") as db, db.directory() as tx:
        print("schools:", await tx.fetchval("SELECT count(*) FROM schools"))

asyncio.run(main())
"""

pytestmark = pytest.mark.timeout(2 * START_S)


@dataclass
class Installation:
    """A state folder with the ports of its own, and the command line over it."""

    folder: Path
    given: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    """What the start printed."""

    def __post_init__(self) -> None:
        http, dashboard = free_ports(2, near=28_000)
        self.url = f"http://127.0.0.1:{http}"
        self.environment = {
            **os.environ,
            "SCHOOLOS_STATE_DIR": str(self.folder),
            "SCHOOLOS_HTTP_PORT": str(http),
            "SCHOOLOS_RAY_DASHBOARD_PORT": str(dashboard),
            **self.given,
        }

    def run(self, *command: str, expect: int | None = 0) -> str:
        """Run a command to its end and return what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "cluster.cli", *command],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        assert expect is None or done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def begin(self, *options: str) -> "subprocess.Popen[bytes]":
        """Begin `schoolos up` in the foreground."""
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cluster.cli", "up", *options],
                env=self.environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def await_record(self, is_so: Callable[[RunRecord], bool]) -> RunRecord:
        """Wait until the start has come as far as this."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            record = StateFolder(self.folder).read_record()
            if record is not None and is_so(record):
                return record
            time.sleep(0.05)
        raise AssertionError("the start did not come so far: " + (self.folder / "output").read_text())

    def left(self) -> list[str]:
        """Return every process that has to do with this installation."""
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join(process.cmdline()) + " " + process.environ().get("SCHOOLOS_STATE_DIR", "")
                gone = process.status() == psutil.STATUS_ZOMBIE
            except psutil.Error:
                continue
            if process.pid != os.getpid() and not gone and str(self.folder) in told:
                found.append(f"{process.pid} {told[:120]}")
        return found


def has_database(record: RunRecord) -> bool:
    """Tell whether the start has come as far as the database, while Ray still starts."""
    return "PostgreSQL" in record.processes


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the database's own user can reach; pytest closes its own to other users."""
    with TemporaryDirectory(prefix="schoolos-up-") as name:
        yield Path(name)
        shutil.rmtree(short_enough(Path(name) / "ray"), ignore_errors=True)


@pytest.fixture(scope="module")
def house() -> Iterator[Installation]:
    """A system that one command brought up from nothing, in the background, with the demo school and the tour."""
    with TemporaryDirectory(prefix="schoolos-up-") as name:
        installation = Installation(Path(name))
        installation.said = installation.run("up", "--detach")
        yield installation
        installation.run("down")
        assert installation.left() == []
        shutil.rmtree(short_enough(Path(name) / "ray"), ignore_errors=True)


def test_it_plays_the_slice_and_says_where_everything_is(house: Installation) -> None:
    """Marks go from a class sheet to delivered messages before the command says that it is up."""
    assert "The principal publishes" in house.said
    assert " email sent" in house.said or " sms sent" in house.said
    assert f"SchoolOS is up at {house.url}" in house.said.replace("\n", " ")
    assert (house.folder / "mailroom" / "sms.jsonl").read_text()


def test_status_counts_processes_and_their_memory(house: Installation) -> None:
    """Every service runs, what the routes depend on answers; idle, the system fits in 2 GiB."""
    status: dict[str, Any] = json.loads(house.run("status", "--json"))
    assert status["up"] is True
    assert set(status["services"].values()) <= {"running", "ok"}
    assert {"directory", "supervisor"} <= set(status["actors"])
    assert status["memory_bytes"] == sum(each["pss_bytes"] for each in status["memory"])
    assert status["memory_bytes"] <= IDLE_BYTES


def test_the_routes_answer_through_serve(house: Installation) -> None:
    """A replica opens its own services: health, a token, a read and two problems are as under uvicorn."""
    found = re.search(r"Login\s+(principal@(\w+)\S+) / (\S+)", house.said)
    assert found, house.said
    person = {"school": found[2], "username": found[1], "password": found[3]}
    with httpx.Client(base_url=house.url, timeout=60) as client:
        assert client.get("/readyz").json()["checks"]["database"] == "ok"
        token = client.post("/api/auth/token", json=person)
        assert token.status_code == 200, token.text
        jobs = client.get("/api/jobs", headers={"Authorization": f"Bearer {token.json()['accessToken']}"})
        assert (jobs.status_code, jobs.json()) == (200, {"items": [], "nextCursor": None})
        refused = client.get("/api/jobs")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["traceId"] == refused.headers["x-trace-id"]
        assert client.post("/api/auth/token", content=b" " * 2_000_000).status_code == 413


def test_no_other_user_reaches_the_clusters_files(house: Installation) -> None:
    """Ray opens its own folder to all; the one around it lets nobody in."""
    assert short_enough(house.folder / "ray").stat().st_mode & 0o077 == 0


def test_doctor_names_each_port_beyond_loopback(house: Installation) -> None:
    """Ray's ports are named with what they are, none is a stranger or its client server's, and no secret is shown."""
    told = house.run("doctor")
    assert "gcs_server" in told
    assert "Ray Client" not in told
    assert "not known" not in told
    assert "Nothing needs action" in told
    record = StateFolder(house.folder).read_record()
    assert record is not None
    assert record.environment["SCHOOLOS_DATABASE_URL"] not in told


def test_a_second_start_is_refused_while_it_is_up(house: Installation) -> None:
    """The folder is taken: the sentence says by which process and what to do."""
    told = house.run("up", expect=4)
    assert "already up" in told
    assert "schoolos down" in told


def test_a_job_from_a_foreign_folder_finds_the_system(house: Installation, tmp_path: Path) -> None:
    """A Ray job that knows nothing but the cluster reads the number of schools from the system's database."""
    (tmp_path / "job.py").write_text(FOREIGN_JOB)
    record = StateFolder(house.folder).read_record()
    assert record is not None
    dashboard = f"http://127.0.0.1:{record.environment['SCHOOLOS_RAY_DASHBOARD_PORT']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHOOLOS_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", dashboard),
            *("--working-dir", str(tmp_path), "--", "python", "job.py"),
        ],
        env=environment | dict(record.ray_environment),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "schools: 1" in done.stdout


def test_a_timetable_is_searched_for_on_the_cluster_that_is_up(house: Installation, tmp_path: Path) -> None:
    """``--address auto`` finds the cluster and its token by the state folder alone, and the racers run there."""
    file = tmp_path / "school.json"
    file.write_bytes(write_problem(tiny_school.school(tiny_school.lesson("a"), tiny_school.lesson("b"))))
    told = house.run("timetable", "solve", str(file), "--address", "auto", "--seconds", "60", "--json")
    assert json.loads(told.splitlines()[-1])["status"] == "optimal"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_the_start_leaves_nothing(folder: Path, signum: signal.Signals) -> None:
    """Ctrl-C, a stop by the system and a closed terminal end everything that had begun."""
    installation = Installation(folder)
    process = installation.begin()
    installation.await_record(has_database)
    process.send_signal(signum)
    assert process.wait(timeout=START_S) == 0
    assert installation.left() == []


def test_a_killed_start_leaves_nothing(folder: Path) -> None:
    """When the process that does the work is killed, its guard ends what it had begun."""
    installation = Installation(folder)
    process = installation.begin()
    record = installation.await_record(has_database)
    (worker,) = [each for each in psutil.Process(record.guard.pid).children() if "up" in each.cmdline()]
    worker.kill()
    assert process.wait(timeout=START_S) == 137
    assert installation.left() == []


def test_a_killed_guard_leaves_nothing(folder: Path) -> None:
    """When the guard is killed, the process that does the work is told by the kernel and ends in order."""
    installation = Installation(folder)
    process = installation.begin()
    installation.await_record(has_database)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while (left := installation.left()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def test_down_ends_what_a_killed_start_left(folder: Path) -> None:
    """With guard and worker killed at once the services live on, until `down` ends them."""
    installation = Installation(folder)
    process = installation.begin()
    record = installation.await_record(has_database)
    family = [psutil.Process(record.guard.pid), *psutil.Process(record.guard.pid).children()]
    for each in [member for member in family if "up" in member.cmdline()]:
        each.suspend()
    for each in [member for member in family if "up" in member.cmdline()]:
        each.kill()
    process.wait()
    assert record.processes["PostgreSQL"].alive()
    assert "what it left is stopped" in installation.run("down")
    assert installation.left() == []
    assert "not up" in installation.run("down")


def test_real_servers_take_the_place_of_the_embedded_ones(folder: Path, database_url: str) -> None:
    """With addresses of a database, a Redis and a bucket none of ours is started, and the same routes answer."""
    redis = EmbeddedRedis(folder / "redis", durable=False, near_port=24_379)
    bucket = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    bucket.start()
    host, port = bucket.get_host_and_port()
    s3 = {"SCHOOLOS_S3_ENDPOINT": f"http://{host}:{port}", "SCHOOLOS_S3_REGION": "eu-west-1",
          "SCHOOLOS_S3_ACCESS_KEY": "key", "SCHOOLOS_S3_SECRET_KEY": "secret"}  # fmt: skip
    boto3.client(
        "s3",
        endpoint_url=s3["SCHOOLOS_S3_ENDPOINT"],
        region_name="eu-west-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    ).create_bucket(Bucket="school", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    (folder / "state").mkdir()
    given = {"SCHOOLOS_DATABASE_URL": database_url, "SCHOOLOS_REDIS_URL": redis.start(), "SCHOOLOS_S3_BUCKET": "school"}
    installation = Installation(folder / "state", given | s3)
    process = installation.begin("--no-demo", "--no-tour")
    try:
        record = installation.await_record(lambda each: each.ready_after_s is not None)
        assert set(record.processes) == {"Ray's head"}
        with urlopen(f"{installation.url}/readyz", timeout=30) as answer:
            assert set(json.load(answer)["checks"].values()) == {"ok"}
        assert not (folder / "state" / "postgres").exists()
        assert not (folder / "state" / "objects").exists()
    finally:
        process.terminate()
        process.wait(timeout=START_S)
        redis.stop()
        bucket.stop()
    assert installation.left() == []
