"""The actors of a supervised pool, and the supervisor's hands on the cluster."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError, RayError

from actors.pool_spec import Backlog, BacklogFactory, Pong, PoolSpec, PoolStatus, WorkerFactory
from actors.pool_supervisor import Supervisor, WorkerDied
from actors.pool_supervisors import Supervisors
from actors.pool_worker import HostedWorker


class WorkerActor:
    """One worker's process."""

    def __init__(self, name: str, packed_factory: bytes) -> None:
        # In the constructor, because it is what Ray runs whenever it makes the process.
        factory: WorkerFactory = cloudpickle.loads(packed_factory)
        self._worker = HostedWorker(name, factory, ray.get_runtime_context().get_node_id())
        self._worker.begin()

    async def ping(self) -> Pong:
        """Return how the worker is."""
        return await self._worker.ping()

    async def drain(self, deadline_s: float) -> None:
        """Let the worker finish."""
        await self._worker.drain(deadline_s)


class RayWorkerHost:
    """Runs workers as detached named actors."""

    def __init__(self, spec: PoolSpec, packed_factory: bytes) -> None:
        self._spec = spec
        self._packed_factory = packed_factory

    def find(self, slot: int) -> object | None:
        """Return the handle of a slot's living worker, or None."""
        return find_actor(self._spec.worker_name(slot), self._spec.namespace)

    def start(self, slot: int) -> object:
        """Start a slot's worker, or take over the one that is there, and return its handle."""
        name = self._spec.worker_name(slot)
        handle: object = (
            ray.remote(WorkerActor)
            .options(
                name=name,
                namespace=self._spec.namespace,
                lifetime="detached",  # it outlives a supervisor that is killed
                get_if_exists=True,
                num_cpus=0,
                resources=dict(self._spec.resources),
                max_restarts=0,  # the supervisor starts it again, and later each time where it keeps dying
            )
            .remote(name, self._packed_factory)
        )
        return handle

    async def ping(self, handle: Any) -> Pong:
        """Return a worker's answer. Raises ``WorkerDied``."""
        try:
            pong: Pong = await handle.ping.remote()
        except RayError as error:
            raise WorkerDied("a worker is gone or has failed") from error
        return pong

    async def drain(self, handle: Any, deadline_s: float) -> None:
        """Let a worker finish. Raises ``WorkerDied``."""
        try:
            await handle.drain.remote(deadline_s)
        except RayError as error:
            raise WorkerDied("a worker died while it drained") from error

    def kill(self, handle: Any) -> None:
        """End a worker's process at once; one that is gone is no error."""
        ray.kill(handle, no_restart=True)


@dataclass(frozen=True, slots=True)
class Watched:
    """A pool as its supervisor is told of it.

    The factories are packed: the supervisor does not import what only its workers need, so that it stays small and
    starts fast, and a backlog that can't be imported is the trouble of its pool alone.
    """

    spec: PoolSpec
    packed_factory: bytes
    packed_backlog: bytes

    def supervisor(self) -> Supervisor:
        """Make the pool's supervisor."""
        host = RayWorkerHost(self.spec, self.packed_factory)
        return Supervisor(self.spec, host, partial(_open_packed, self.packed_backlog))


@asynccontextmanager
async def _open_packed(packed_backlog: bytes) -> AsyncIterator[Backlog]:
    factory: BacklogFactory = cloudpickle.loads(packed_backlog)
    async with factory() as backlog:
        yield backlog


class SupervisorActor:
    """The process of one supervisor, or of several. Ray starts it again whenever it dies."""

    def __init__(self, pools: Sequence[Watched]) -> None:
        self._supervisors = Supervisors({each.spec.name: each.supervisor for each in pools})
        for watch in self._supervisors.watches.values():
            watch.add_done_callback(_leave_where_failed)

    async def watched(self) -> frozenset[str]:
        """Return the pools that have not been drained."""
        return self._supervisors.watched()

    async def status(self, pool: str) -> PoolStatus | None:
        """Return a pool as it stands; None where it is not watched."""
        return self._supervisors.status(pool)

    async def drain(self, pool: str) -> None:
        """Let every worker of a pool finish."""
        await self._supervisors.drain(pool)


def find_actor(name: str, namespace: str) -> Any | None:
    """Return the handle of a living actor, or None."""
    try:
        return ray.get_actor(name, namespace=namespace)
    except (ValueError, RayActorError):
        return None


def _leave_where_failed(watch: "asyncio.Task[None]") -> None:
    # A supervisor that no longer watches is worse than none: Ray starts it afresh.
    if not watch.cancelled() and watch.exception() is not None:
        os._exit(1)
