"""Several pools' supervisors in one process: what befalls one is not felt by the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from actors.pool_supervisor import Supervisor
from actors.pool_supervisors import Supervisors
from core.errors import Unavailable
from tests.unit.test_pool_supervisor import SPEC, FakeHost, no_backlog, until


class Fragile(FakeHost):
    """Workers in memory on a cluster that can be lost."""

    lost: bool = False
    looks: int = 0

    def find(self, slot: int) -> object | None:
        """Fail where the cluster is lost, as ``Supervisor.run`` does then."""
        self.looks += 1
        if self.lost:
            raise Unavailable("the cluster does not answer")
        return super().find(slot)


class Breaking(Supervisor):
    """A supervisor whose watch ends with a fault when it is told to."""

    broken = False

    def step(self) -> None:
        """Do a step, or fail."""
        if self.broken:
            raise ValueError("a fault of the watch")
        super().step()


def _soon(_: int) -> float:
    return 0.01


class Rig:
    """Two pools, their hosts, and every supervisor that was made."""

    def __init__(self) -> None:
        self.hosts = {"a": Fragile(), "b": Fragile()}
        self.made: dict[str, list[Breaking]] = {"a": [], "b": []}
        self.supervisors = Supervisors({name: partial(self._make, name) for name in self.hosts}, again_after_s=_soon)

    def _make(self, name: str) -> Supervisor:
        made = Breaking(replace(SPEC, name=name), self.hosts[name], no_backlog)
        self.made[name].append(made)
        return made

    async def until(self, name: str, holds: Callable[[], object]) -> None:
        """Wait until something holds, looking again at every ping of a pool's workers."""
        await until(self.hosts[name], holds)

    def running(self, name: str) -> int:
        """Return how many workers of a pool run."""
        status = self.supervisors.status(name)
        return status.running if status else 0


@asynccontextmanager
async def opened() -> AsyncIterator[Rig]:
    """Two pools at their size."""
    rig = Rig()
    for name in rig.hosts:
        await rig.until(name, partial(lambda each: rig.running(each) == SPEC.minimum, name))
    try:
        yield rig
    finally:
        for watch in rig.supervisors.watches.values():
            watch.cancel()
        await asyncio.gather(*rig.supervisors.watches.values(), return_exceptions=True)


async def test_a_fault_of_one_watch_leaves_the_other_alone() -> None:
    """A watch that fails is begun anew over the same workers; the other pool's supervisor and workers stay."""
    async with opened() as rig:
        rig.made["a"][0].broken = True
        await rig.until("b", lambda: len(rig.made["a"]) == 2 and rig.running("a") == 2)
        assert len(rig.made["b"]) == 1
        assert {name: len(host.lives) for name, host in rig.hosts.items()} == {"a": 2, "b": 2}


async def test_a_watch_that_fails_at_once_is_begun_again_later() -> None:
    """A pool whose workers can't be looked for is tried again and again, and runs when they can be."""
    async with opened() as rig:
        rig.hosts["a"].lost = True
        looks = rig.hosts["a"].looks
        rig.made["a"][0].broken = True
        await rig.until("b", lambda: rig.hosts["a"].looks >= looks + 2)
        assert rig.running("b") == 2
        rig.hosts["a"].lost = False
        await rig.until("b", lambda: rig.running("a") == 2)


async def test_one_pool_is_drained_and_the_other_runs() -> None:
    """After the drain of one pool its workers are gone and it has no status; the other is as before."""
    async with opened() as rig:
        await rig.supervisors.drain("a")
        assert rig.hosts["a"].living() == []
        assert rig.supervisors.status("a") is None
        assert rig.supervisors.watched() == {"b"}
        assert rig.running("b") == 2
        await rig.supervisors.drain("a")


async def test_a_fault_in_a_drain_does_not_end_it() -> None:
    """A watch that fails while its pool is drained is begun anew, and drains what is left."""
    async with opened() as rig:
        rig.made["a"][0].broken = True
        async with asyncio.timeout(60):
            await rig.supervisors.drain("a")
        assert rig.hosts["a"].living() == []
