"""Starts, asks and stops supervised pools. ``pool_plan`` decides, ``pool_supervisor`` carries out, in ``pool_actors``.

A detached supervisor, found by name, watches one pool or several; it starts detached workers, also found by name. A
supervisor that is killed is started again by Ray and takes its workers over; a worker that is killed or hangs is
replaced by the supervisor. Neither holds anything that is not in the database or the stream.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError

from actors.pool_actors import SupervisorActor, Watched, find_actor
from actors.pool_spec import BacklogFactory, Pool, PoolSpec, PoolStatus, WorkerFactory
from core.errors import NotFound, Unavailable

_STATUS_TIMEOUT_S = 10.0
_LEAVE_S = 60.0
"""What pools that are no longer asked for get to drain; each has a deadline of its own below that."""
_KILL_TIMEOUT_S = 60.0
"""A busy machine hears late that an actor is gone, and till then its name still leads to it."""
_LOOK_EVERY_S = 0.05


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
        if spec.own_supervisor_name != name and (own := find_actor(spec.own_supervisor_name, namespace)) is not None:
            _end(own, spec.own_supervisor_name, namespace)  # of a version that had one for each pool
    if (former := find_actor(name, namespace)) is None:
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
    ).remote([Watched(each.spec, _packed(each.factory), _packed(each.backlog)) for each in pools])


def _packed(factory: object) -> bytes:
    packed: bytes = cloudpickle.dumps(factory)  # type: ignore[no-untyped-call]  # Ray has no annotation there
    return packed


def pool_status(spec: PoolSpec, timeout_s: float = _STATUS_TIMEOUT_S) -> PoolStatus:
    """Return how a pool is. Raises ``NotFound`` where it does not run, ``Unavailable`` where it does not answer."""
    supervisor = find_actor(spec.supervisor_name, spec.namespace)
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
    supervisors = {place: handle for place in places if (handle := find_actor(*place)) is not None}
    draining = [
        supervisors[place].drain.remote(spec.name)
        for spec in specs
        if (place := (spec.supervisor_name, spec.namespace)) in supervisors
    ]
    with suppress(RayError):  # what is left is ended below
        ray.get(draining, timeout=max(spec.drain_s + 2 * spec.ping_timeout_s for spec in specs))
    _end_idle(supervisors, {spec.name for spec in specs})
    for name, namespace in [(spec.worker_name(slot), spec.namespace) for spec in specs for slot in range(spec.maximum)]:
        if (worker := find_actor(name, namespace)) is not None:
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
    while find_actor(name, namespace) is not None:
        if time.monotonic() > until:
            raise Unavailable(f"the actor {name} does not end")
        time.sleep(_LOOK_EVERY_S)
