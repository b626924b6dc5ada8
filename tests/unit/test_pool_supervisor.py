"""The supervisor's loop over workers in memory: what is decided is done, and told back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from actors.pool_spec import Pong, PoolSpec
from actors.pool_supervisor import BacklogGauge, Supervisor, WorkerDied
from core.errors import Unavailable

SPEC = PoolSpec(name="pool", minimum=2, maximum=3, ping_every_s=0.01, ping_timeout_s=0.05, start_timeout_s=5, drain_s=1)


@dataclass(eq=False, slots=True)
class Life:
    """One life of a worker in memory."""

    slot: int
    dead: bool = False
    deaf: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class FakeHost:
    """Workers in memory, and what was done to them."""

    lives: list[Life] = field(default_factory=list)
    drained: list[int] = field(default_factory=list)
    refusals: int = 0
    pinged: asyncio.Event = field(default_factory=asyncio.Event)

    def living(self) -> list[Life]:
        """Return the workers that are there."""
        return [life for life in self.lives if not life.gone.is_set()]

    def find(self, slot: int) -> object | None:
        """Return the handle of a slot's living worker."""
        return next((life for life in self.living() if life.slot == slot), None)

    def start(self, slot: int) -> object:
        """Start a worker, unless the cluster refuses."""
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("no room")
        life = Life(slot)
        self.lives.append(life)
        return life

    async def ping(self, handle: object) -> Pong:
        """Answer, hang, or tell the death."""
        assert isinstance(handle, Life)
        self.pinged.set()
        if handle.deaf:
            await handle.gone.wait()
        if handle.dead or handle.gone.is_set():
            raise WorkerDied("gone")
        return Pong(ready=True, pid=handle.slot, node="n", figures={"handled": 1.0})

    async def drain(self, handle: object, deadline_s: float) -> None:
        """Finish at once."""
        assert isinstance(handle, Life)
        self.drained.append(handle.slot)

    def kill(self, handle: object) -> None:
        """End a life."""
        assert isinstance(handle, Life)
        handle.gone.set()


@asynccontextmanager
async def no_backlog() -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Nothing waits."""

    async def nothing() -> int:
        return 0

    yield nothing


async def until(host: FakeHost, holds: Callable[[], object]) -> None:
    """Wait until something holds, looking again at every ping."""
    async with asyncio.timeout(60):
        while not holds():
            host.pinged.clear()
            await host.pinged.wait()


@asynccontextmanager
async def supervised(host: FakeHost) -> AsyncIterator[Supervisor]:
    """A supervisor that runs."""
    supervisor = Supervisor(SPEC, host, no_backlog)
    running = asyncio.create_task(supervisor.run())
    await until(host, lambda: supervisor.status().running == SPEC.minimum)
    try:
        yield supervisor
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_minimum_is_started_and_shown() -> None:
    """A pool comes up with its minimum, and its status names every slot."""
    host = FakeHost()
    async with supervised(host) as supervisor:
        status = supervisor.status()
    assert len(host.lives) == 2
    assert [(worker.name, worker.state, worker.restarts) for worker in status.workers] == [
        ("pool-0", "running", 0), ("pool-1", "running", 0), ("pool-2", "empty", 0),
    ]  # fmt: skip
    assert status.workers[1].figures == {"handled": 1.0}
    assert status.workers[1].pid == 1
    assert status.backlog == 0


async def test_a_dead_worker_is_replaced_by_one_life() -> None:
    """After a death there is one new worker in its slot, and the dead one's process is ended for certain."""
    host = FakeHost()
    async with supervised(host) as supervisor:
        victim = host.lives[0]
        victim.dead = True
        await until(host, lambda: len(host.lives) == 3 and supervisor.status().running == 2)
    assert victim.gone.is_set()
    assert sorted(life.slot for life in host.living()) == [0, 1]


async def test_a_hung_worker_is_killed_and_replaced_while_others_go_on() -> None:
    """One worker that answers no ping is replaced; its neighbour is pinged all the while."""
    host = FakeHost()
    async with supervised(host) as supervisor:
        host.lives[1].deaf = True
        await until(host, lambda: len(host.lives) == 3 and supervisor.status().running == 2)
        assert not host.lives[0].gone.is_set()
    assert host.lives[1].gone.is_set()


async def test_a_cluster_that_refuses_is_asked_again() -> None:
    """A start that fails is tried again and stops nothing else."""
    host = FakeHost(refusals=3)
    async with supervised(host):
        pass
    assert len(host.lives) == 2


async def test_a_new_supervisor_takes_living_workers_over() -> None:
    """A supervisor that replaces a dead one starts no second worker where one lives."""
    host = FakeHost()
    async with supervised(host):
        pass
    async with supervised(host) as second:
        assert [worker.restarts for worker in second.status().workers] == [0, 0, 0]
    assert len(host.lives) == 2


async def test_drain_finishes_every_worker_and_ends_the_watch() -> None:
    """A drained pool has drained and ended each worker, and its supervisor returns."""
    host = FakeHost()
    supervisor = Supervisor(SPEC, host, no_backlog)
    running = asyncio.create_task(supervisor.run())
    await until(host, lambda: supervisor.status().running == 2)
    supervisor.begin_drain()
    await running
    assert sorted(host.drained) == [0, 1]
    assert host.living() == []
    assert supervisor.status().draining


async def test_a_backlog_that_fails_is_unknown_not_zero() -> None:
    """A source that can't be read, or was read long ago, gives no backlog to go by."""
    now = 0.0

    async def five() -> int:
        return 5

    gauge = BacklogGauge("pool", no_backlog, lambda: now)
    assert gauge.latest() is None
    await gauge.measure(five)
    assert gauge.latest() == 5
    now = 60.0
    assert gauge.latest() is None
