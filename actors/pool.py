"""The supervised pool, and every call to Ray that it takes. ``pool_plan`` decides, ``pool_supervisor`` carries out.

One detached supervisor a pool, found by name; it starts detached workers, also found by name. A supervisor that is
killed is started again by Ray and takes its workers over; a worker that is killed or hangs is replaced by the
supervisor. Neither holds anything that is not in the database or the stream.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError, RayError

from actors.pool_spec import BacklogFactory, Pong, PoolSpec, PoolStatus, WorkerFactory
from actors.pool_supervisor import Supervisor, WorkerDied
from actors.pool_worker import HostedWorker
from core.errors import NotFound, Unavailable

_STATUS_TIMEOUT_S = 10.0


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


class SupervisorActor:
    """One pool's supervisor. Ray starts it again whenever it dies."""

    def __init__(self, spec: PoolSpec, packed_factory: bytes, backlog: BacklogFactory) -> None:
        self._supervisor = Supervisor(spec, RayWorkerHost(spec, packed_factory), backlog)
        self._watch = asyncio.get_running_loop().create_task(self._supervisor.run())
        self._watch.add_done_callback(_leave_where_failed)

    async def status(self) -> PoolStatus:
        """Return the pool as it stands."""
        return self._supervisor.status()

    async def drain(self) -> None:
        """Let every worker finish."""
        await self._supervisor.drain()


def start_pool(spec: PoolSpec, factory: WorkerFactory, backlog: BacklogFactory) -> None:
    """Start a pool's supervisor where there is none; the workers follow without waiting."""
    # Packed, so that the supervisor does not import what only its workers need: it stays small and starts fast.
    packed_factory = cloudpickle.dumps(factory)  # type: ignore[no-untyped-call]  # Ray has no annotation there
    ray.remote(SupervisorActor).options(
        name=spec.supervisor_name,
        namespace=spec.namespace,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=-1,
    ).remote(spec, packed_factory, backlog)


def pool_status(spec: PoolSpec, timeout_s: float = _STATUS_TIMEOUT_S) -> PoolStatus:
    """Return how a pool is. Raises ``NotFound`` where it does not run, ``Unavailable`` where it does not answer."""
    supervisor = _find(spec.supervisor_name, spec.namespace)
    if supervisor is None:
        raise NotFound(f"the pool {spec.name} does not run")
    try:
        status: PoolStatus = ray.get(supervisor.status.remote(), timeout=timeout_s)
    except RayError as error:
        raise Unavailable(f"the supervisor of the pool {spec.name} does not answer") from error
    return status


def stop_pool(spec: PoolSpec) -> None:
    """Drain a pool and end its processes; one that does not run is no error."""
    supervisor = _find(spec.supervisor_name, spec.namespace)
    if supervisor is not None:
        with suppress(RayError):  # what is left is ended below
            ray.get(supervisor.drain.remote(), timeout=spec.drain_s + 2 * spec.ping_timeout_s)
        ray.kill(supervisor, no_restart=True)
    for slot in range(spec.maximum):
        worker = _find(spec.worker_name(slot), spec.namespace)
        if worker is not None:
            ray.kill(worker, no_restart=True)


def _find(name: str, namespace: str) -> Any | None:
    try:
        return ray.get_actor(name, namespace=namespace)
    except (ValueError, RayActorError):
        return None


def _leave_where_failed(watch: "asyncio.Task[None]") -> None:
    # A supervisor that no longer watches is worse than none: Ray starts it afresh.
    if not watch.cancelled() and watch.exception() is not None:
        os._exit(1)
