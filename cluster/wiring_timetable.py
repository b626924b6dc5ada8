"""Builds the conductors of searches for timetables; apart from ``wiring_workers``, for theirs are other imports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import uuid4

import ray

from actors.pool_spec import PoolSpec, Worker, WorkerFactory
from actors.solver import solver_places
from actors.timetable import RayStage, TimetableWorker
from cluster.settings import Settings
from cluster.wiring_ground import begin_telemetry, database_url, open_database
from core.adapters.postgres_signal import PostgresSignal
from core.clock import SystemClock
from core.errors import Unavailable
from core.timetable.conducting import WAKE_CHANNEL, Conductor, ConductorPolicy
from core.timetable.solvers.kernels import compile_kernels
from core.timetable.stage import LocalStage, Stage

_SHARE = 4
"""So many searches go on at a time where the cluster is wide enough to give each two places."""
_LEAST_PLACES = 2


@asynccontextmanager
async def open_conductor(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one conductor in the process that will run it."""
    begin_telemetry(settings, name)
    stage, policy = stage_of(settings)
    signal = PostgresSignal(database_url(settings), WAKE_CHANNEL, application_name=f"schoolos {name} listener")
    async with open_database(settings, application_name=f"schoolos {name}") as db:
        # The lease's owner is this very process: one that takes the place over must not pass for it.
        worker = f"{name}/{uuid4().hex[:8]}"
        try:
            conductor = Conductor(db, SystemClock(), stage, signal, worker=worker, policy=policy)
            yield TimetableWorker(conductor, prepare=compile_kernels)
        finally:
            await signal.close()


def stage_of(settings: Settings) -> tuple[Stage, ConductorPolicy]:
    """Return where searches run, and how many at a time: the cluster's places for solvers, else this machine."""
    try:
        total = solver_places() if ray.is_initialized() else 0
    except Unavailable:
        total = 0
    if not total:
        return LocalStage(), ConductorPolicy()
    places = min(total, max(_LEAST_PLACES, total // _SHARE))
    return RayStage(settings.ray.namespace, places), ConductorPolicy(concurrency=total // places)


def conductor_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of conductors."""
    return partial(open_conductor, settings)


def conductor_pool(settings: Settings) -> PoolSpec:
    """Return how conductors are watched: always one, which has the solvers' places to give."""
    return PoolSpec(name="timetable", minimum=1, maximum=1, drain_s=25.0, namespace=settings.ray.namespace)
