"""The supervised pool on real Ray: whatever dies, the pool comes back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import ray

from actors.pool import pool_status, start_pool, start_pools, stop_pool, stop_pools
from actors.pool_spec import Backlog, Pool, PoolSpec, PoolStatus, Worker
from core.errors import NotFound
from tests.fault.stall import watched

pytestmark = pytest.mark.usefixtures("ray_cluster")

PATIENCE_S = 150.0
"""A wait ends as soon as it can; this is for a machine that does much else."""
LINGERS_S = 60.0
"""Ten times what a pool here has for a drain."""


class Diary:
    """A worker that writes down what happens to it, and blocks its process where it is told to."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Note the start."""
        self._note("started")
        self._watch = asyncio.create_task(self._hang_when_told())

    async def ping(self) -> Mapping[str, float]:
        """Return a figure; fail where it is told to."""
        if (self._folder / f"{self._name}.fail").exists():
            raise ValueError("past saving")
        return {"diary": 1.0}

    async def drain(self, deadline_s: float) -> None:
        """Note the drain, and linger where it is told to."""
        self._note("drained")
        if (self._folder / "linger").exists():
            await asyncio.sleep(LINGERS_S)

    def _note(self, what: str) -> None:
        with (self._folder / f"{self._name}.diary").open("a") as diary:
            diary.write(f"{what} {os.getpid()}\n")

    async def _hang_when_told(self) -> None:
        told = self._folder / f"{self._name}.hang"
        while not told.exists():  # noqa: ASYNC110 - told by another process
            await asyncio.sleep(0.02)
        told.unlink()
        time.sleep(600)  # noqa: ASYNC251 - the hang


@asynccontextmanager
async def open_diary(folder: Path, name: str) -> AsyncIterator[Worker]:
    """Open a worker, and note that it was closed."""
    yield Diary(name, folder)
    (folder / f"{name}.closed").touch()


@asynccontextmanager
async def backlog_in(folder: Path) -> AsyncIterator[Backlog]:
    """Read the backlog from a file."""

    async def read() -> int:
        file = folder / "backlog"
        return int(file.read_text()) if file.exists() else 0

    yield read


class RunningPool:
    """A running pool under test."""

    def __init__(self, spec: PoolSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    @property
    def parts(self) -> Pool:
        """What it is started from."""
        return Pool(self.spec, partial(open_diary, self.folder), partial(backlog_in, self.folder))

    def start(self) -> None:
        """Start it, or find it there."""
        start_pool(self.spec, self.parts.factory, self.parts.backlog)

    def under(self, supervisor: str) -> "RunningPool":
        """Return the same pool as one that a supervisor watches together with others."""
        return RunningPool(replace(self.spec, supervisor=supervisor), self.folder)

    def until(self, holds: Callable[[PoolStatus], object], within_s: float = PATIENCE_S) -> PoolStatus:
        """Wait until its status is as wanted."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            status = pool_status(self.spec, timeout_s=within_s)
            if holds(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"not within {within_s} s: {pool_status(self.spec)}")

    def running(self, count: int) -> PoolStatus:
        """Wait until so many workers run, and no other is there."""
        return self.until(lambda s: s.running == count and sum(w.state != "empty" for w in s.workers) == count)

    def pid(self, slot: int) -> int:
        """Return the process of a running worker."""
        pid = pool_status(self.spec).workers[slot].pid
        assert pid is not None
        return pid

    def diary(self, slot: int) -> list[str]:
        """Return what a slot's workers wrote."""
        return (self.folder / f"{self.spec.worker_name(slot)}.diary").read_text().split("\n")[:-1]

    def tell(self, slot: int, what: str) -> None:
        """Tell a slot's worker something."""
        (self.folder / f"{self.spec.worker_name(slot)}.{what}").touch()


@pytest.fixture(scope="module")
def busy(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool with two workers, pinged often, that shrinks after a second; what befalls it, it must get over."""
    spec = PoolSpec(
        name="busy",
        minimum=2,
        maximum=3,
        backlog_per_worker=10,
        ping_every_s=0.2,
        ping_timeout_s=2,
        shrink_after_s=1,
        drain_s=5,
    )
    pool = RunningPool(spec, tmp_path_factory.mktemp("busy"))
    pool.start()
    yield pool
    stop_pool(spec)


@pytest.fixture
def pool(busy: RunningPool) -> RunningPool:
    """The same pool, over what the test before did to it."""
    busy.running(2)
    return busy


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningPool]:
    """A pool of the test's own, with one worker."""
    spec = PoolSpec(name=request.node.name, maximum=1, ping_every_s=0.2, ping_timeout_s=2, drain_s=5)
    pool = RunningPool(spec, tmp_path)
    pool.start()
    pool.running(1)
    yield pool
    stop_pool(spec)


def test_a_killed_worker_is_replaced(pool: RunningPool) -> None:
    """After kill -9 a new process runs under the same name, and its neighbour is the same as before."""
    victim, neighbour = pool_status(pool.spec).workers[:2]
    lives = len(pool.diary(0))
    os.kill(pool.pid(0), signal.SIGKILL)
    status = pool.until(lambda s: s.workers[0].pid not in {None, victim.pid} and s.running == 2)
    assert status.workers[0].restarts == victim.restarts + 1
    assert status.workers[1].pid == neighbour.pid
    assert [line.split()[0] for line in pool.diary(0)[lives:]] == ["started"]


def test_a_hung_worker_is_replaced(pool: RunningPool) -> None:
    """A worker whose process answers nothing is killed and replaced."""
    victim = pool.pid(1)
    pool.tell(1, "hang")
    pool.until(lambda s: s.workers[1].pid not in {None, victim} and s.running == 2)
    psutil.wait_procs([psutil.Process(victim)] if psutil.pid_exists(victim) else [], timeout=10)
    assert not psutil.pid_exists(victim)


def test_a_failed_worker_is_replaced(pool: RunningPool) -> None:
    """A worker that says it is past saving is ended and replaced, later each time it fails again."""
    before = pool_status(pool.spec).workers[0].restarts
    pool.tell(0, "fail")
    pool.until(lambda s: s.workers[0].restarts >= before + 3)
    (pool.folder / f"{pool.spec.worker_name(0)}.fail").unlink()
    pool.running(2)


def test_a_killed_supervisor_comes_back_to_the_same_workers(pool: RunningPool) -> None:
    """After kill -9 of the supervisor Ray starts it again, and it takes both workers over without a restart."""
    before, lives = pool_status(pool.spec), len(pool.diary(0))
    os.kill(before.pid, signal.SIGKILL)
    after = pool.until(lambda s: s.pid != before.pid and s.running == 2)
    assert [worker.pid for worker in after.workers] == [worker.pid for worker in before.workers]
    assert len(pool.diary(0)) == lives


def test_supervisor_and_workers_killed_at_once_all_come_back(pool: RunningPool) -> None:
    """The death of everything at the same moment is mended too."""
    before = pool_status(pool.spec)
    for pid in (before.pid, pool.pid(0), pool.pid(1)):
        os.kill(pid, signal.SIGKILL)
    after = pool.until(lambda s: s.pid != before.pid and s.running == 2)
    assert {worker.pid for worker in after.workers}.isdisjoint({worker.pid for worker in before.workers} - {None})


def test_the_pool_grows_and_shrinks_with_the_backlog(pool: RunningPool) -> None:
    """More waiting brings a worker more, less lets it drain and go."""
    (pool.folder / "backlog").write_text("30")
    assert pool.running(3).backlog == 30
    (pool.folder / "backlog").write_text("0")
    pool.running(2)
    assert [line.split()[0] for line in pool.diary(2)] == ["started", "drained"]
    assert (pool.folder / f"{pool.spec.worker_name(2)}.closed").exists()


def test_starting_twice_is_starting_once(pool: RunningPool) -> None:
    """A second start finds the pool there."""
    before = pool_status(pool.spec)
    pool.start()
    after = pool_status(pool.spec)
    assert (after.pid, [w.pid for w in after.workers]) == (before.pid, [w.pid for w in before.workers])


def test_stopping_drains_and_leaves_no_process(small: RunningPool) -> None:
    """A stopped pool has drained and closed its worker, and neither the worker nor its supervisor is left."""
    status = pool_status(small.spec)
    processes = [psutil.Process(pid) for pid in (status.pid, small.pid(0))]
    stop_pool(small.spec)
    assert psutil.wait_procs(processes, timeout=20)[1] == []
    assert small.diary(0)[-1].startswith("drained")
    assert (small.folder / f"{small.spec.worker_name(0)}.closed").exists()
    with pytest.raises(NotFound):
        pool_status(small.spec)


def test_a_worker_that_lingers_does_not_hold_up_the_stop(small: RunningPool, tmp_path: Path) -> None:
    """A drain past its deadline is cut short and the worker ended."""
    (small.folder / "linger").touch()
    with watched(tmp_path) as stall:
        began = time.monotonic()
        stop_pool(small.spec)
        assert stall.own_s(began, time.monotonic()) < small.spec.drain_s + 3 * small.spec.ping_timeout_s
    _until_named(small.spec.name, set())


@pytest.fixture
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[RunningPool]]:
    """Two pools with one worker each that have a supervisor each."""
    pools = [
        RunningPool(PoolSpec(name=f"{request.node.name}-{which}", maximum=1, ping_every_s=0.2, drain_s=5), tmp_path)
        for which in ("a", "b")
    ]
    start_pools([pool.parts for pool in pools])
    for pool in pools:
        pool.running(1)
    yield pools
    stop_pools([pool.spec for pool in pools])


def test_pools_come_under_one_supervisor_and_out_again(pair: list[RunningPool], request: pytest.FixtureRequest) -> None:
    """A shared supervisor takes the places and workers of own ones, is restarted whole, and lets go who is left out."""
    supervisor = f"{request.node.name}-supervisor"
    workers = [pool.pid(0) for pool in pair]
    shared = [pool.under(supervisor) for pool in pair]
    start_pools([pool.parts for pool in shared])
    before = {pool.running(1).pid for pool in shared}
    assert len(before) == 1
    _until_named(request.node.name, {supervisor, *(pool.spec.worker_name(0) for pool in pair)})
    os.kill(before.pop(), signal.SIGKILL)
    assert [pool.running(1).workers[0].pid for pool in shared] == workers
    start_pools([shared[0].parts])
    assert shared[0].running(1).workers[0].pid == workers[0]
    assert shared[1].diary(0)[-1].startswith("drained")
    with pytest.raises(NotFound):
        pool_status(shared[1].spec)
    stop_pools([pool.spec for pool in shared])
    _until_named(request.node.name, set())


def _until_named(start: str, names: set[str]) -> None:
    """Wait until these alone of the actors whose names begin so are alive."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := {name for name in ray.util.list_named_actors() if name.startswith(start)}) != names:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
