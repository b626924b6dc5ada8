"""The supervised pool, and every call to Ray that it takes. ``pool_plan`` decides, ``pool_supervisor`` carries out.

A detached supervisor, found by name, watches one pool or several; it starts detached workers, also found by name. A
supervisor that is killed is started again by Ray and takes its workers over; a worker that is killed or hangs is
replaced by the supervisor. Neither holds anything that is not in the database or the stream.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError, RayError

from actors.pool_spec import Backlog, BacklogFactory, Pong, Pool, PoolSpec, PoolStatus, WorkerFactory
from actors.pool_supervisor import Supervisor, WorkerDied
from actors.pool_supervisors import Supervisors
from actors.pool_worker import HostedWorker
from core.errors import NotFound, Unavailable

_STATUS_TIMEOUT_S = 10.0
_LEAVE_S = 60.0
"""What pools that are no longer asked for get to drain; each has a deadline of its own below that."""
_KILL_TIMEOUT_S = 10.0
_LOOK_EVERY_S = 0.05


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
        return _find(self._spec.worker_name(slot), self._spec.namespace)

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
class _Watched:
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

    def __init__(self, pools: Sequence[_Watched]) -> None:
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


def start_pool(spec: PoolSpec, factory: WorkerFactory, backlog: BacklogFactory) -> None:
    """Start one pool where it does not run; the workers follow without waiting."""
    start_pools([Pool(spec, factory, backlog)])


def start_pools(pools: Iterable[Pool]) -> None:
    """Start the supervisors of some pools where there are none; the workers follow without waiting.

    A supervisor is told of all its pools at once. One that was told of others gives way to one that is told of these:
    what is no longer among them is drained, and the workers of the rest are taken over.
    """
    for supervisor, group in groupby(sorted(pools, key=_supervisor_of), key=_supervisor_of):
        together = list(group)
        _make_way(*supervisor, [each.spec for each in together])
        _start_supervisor(*supervisor, together)


def _supervisor_of(pool: Pool) -> tuple[str, str]:
    return pool.spec.supervisor_name, pool.spec.namespace


def _make_way(name: str, namespace: str, specs: Sequence[PoolSpec]) -> None:
    """End the supervisors that would watch the same workers."""
    for spec in specs:
        if spec.own_supervisor_name != name and (own := _find(spec.own_supervisor_name, namespace)) is not None:
            _end(own, spec.own_supervisor_name, namespace)  # of a version that had one for each pool
    if (former := _find(name, namespace)) is None:
        return
    with suppress(RayError):
        told: frozenset[str] = ray.get(former.watched.remote(), timeout=_STATUS_TIMEOUT_S)
        wanted = {spec.name for spec in specs}
        if told == wanted:
            return
        ray.get([former.drain.remote(pool) for pool in told - wanted], timeout=_LEAVE_S)
    _end(former, name, namespace)


def _start_supervisor(name: str, namespace: str, pools: Sequence[Pool]) -> None:
    ray.remote(SupervisorActor).options(
        name=name,
        namespace=namespace,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=-1,
    ).remote([_Watched(each.spec, _packed(each.factory), _packed(each.backlog)) for each in pools])


def _packed(factory: object) -> bytes:
    packed: bytes = cloudpickle.dumps(factory)  # type: ignore[no-untyped-call]  # Ray has no annotation there
    return packed


def pool_status(spec: PoolSpec, timeout_s: float = _STATUS_TIMEOUT_S) -> PoolStatus:
    """Return how a pool is. Raises ``NotFound`` where it does not run, ``Unavailable`` where it does not answer."""
    supervisor = _find(spec.supervisor_name, spec.namespace)
    status: PoolStatus | None = None
    if supervisor is not None:
        try:
            status = ray.get(supervisor.status.remote(spec.name), timeout=timeout_s)
        except RayError as error:
            raise Unavailable(f"the supervisor of the pool {spec.name} does not answer") from error
    if status is None:
        raise NotFound(f"the pool {spec.name} does not run")
    return status


def stop_pool(spec: PoolSpec) -> None:
    """Drain one pool and end its processes; one that does not run is no error."""
    stop_pools([spec])


def stop_pools(specs: Sequence[PoolSpec]) -> None:
    """Drain pools side by side and end their processes; what does not run is no error."""
    places = {(spec.supervisor_name, spec.namespace) for spec in specs}
    supervisors = {place: handle for place in places if (handle := _find(*place)) is not None}
    draining = [
        supervisors[place].drain.remote(spec.name)
        for spec in specs
        if (place := (spec.supervisor_name, spec.namespace)) in supervisors
    ]
    with suppress(RayError):  # what is left is ended below
        ray.get(draining, timeout=max(spec.drain_s + 2 * spec.ping_timeout_s for spec in specs))
    _end_idle(supervisors, {spec.name for spec in specs})
    for name, namespace in [(spec.worker_name(slot), spec.namespace) for spec in specs for slot in range(spec.maximum)]:
        if (worker := _find(name, namespace)) is not None:
            ray.kill(worker, no_restart=True)


def _end_idle(supervisors: Mapping[tuple[str, str], Any], stopped: set[str]) -> None:
    """End the supervisors that have no other pool to watch, and those that do not answer."""
    for supervisor in supervisors.values():
        watched: frozenset[str] = frozenset()
        with suppress(RayError):
            watched = ray.get(supervisor.watched.remote(), timeout=_STATUS_TIMEOUT_S)
        if watched <= stopped:
            ray.kill(supervisor, no_restart=True)


def _end(actor: Any, name: str, namespace: str) -> None:
    """End an actor and wait until its name is free. Raises ``Unavailable`` where it stays."""
    ray.kill(actor, no_restart=True)
    until = time.monotonic() + _KILL_TIMEOUT_S
    while _find(name, namespace) is not None:
        if time.monotonic() > until:
            raise Unavailable(f"the actor {name} does not end")
        time.sleep(_LOOK_EVERY_S)


def _find(name: str, namespace: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=namespace)
    except (ValueError, RayActorError):
        return None


def _leave_where_failed(watch: "asyncio.Task[None]") -> None:
    # A supervisor that no longer watches is worse than none: Ray starts it afresh.
    if not watch.cancelled() and watch.exception() is not None:
        os._exit(1)
