"""Builds what goes on beside all else: the outbox relay and the hours of the day."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from actors.expiry import ExpiryWorker
from actors.jobs import SweepWorker
from actors.pool_spec import PoolSpec, Worker, WorkerFactory
from actors.relay import RELAY_POOL, RelayWorker
from actors.retention import RetentionWorker
from actors.scheduler import SchedulerWorker
from actors.together import Together
from cluster.settings import Settings
from cluster.wiring_ground import begin_telemetry, database_url, open_database
from cluster.wiring_objects import open_objects
from cluster.wiring_stream import open_stream
from core.adapters.postgres_signal import PostgresSignal
from core.clock import SystemClock
from core.events.outbox import WAKE_CHANNEL
from core.events.relay import Relay
from core.jobs.sweeping import JobSweeper
from core.notifications.retention import Retention
from core.reports.expiry import Expiry
from core.school.fees.reminding import FeeReminders


@asynccontextmanager
async def open_relay(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one outbox relay in the process that will run it."""
    begin_telemetry(settings, name)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        stream = await stack.enter_async_context(open_stream(settings, client_name=f"schoolos {name}"))
        signal = PostgresSignal(database_url(settings), WAKE_CHANNEL, application_name=f"schoolos {name} listener")
        stack.push_async_callback(signal.close)
        yield RelayWorker(Relay(db, stream, signal))


def relay_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of outbox relays."""
    return partial(open_relay, settings)


def relay_pool(settings: Settings) -> PoolSpec:
    """Return how the relay's pool is watched: always one relay."""
    return replace(RELAY_POOL, namespace=settings.ray.namespace)


@asynccontextmanager
async def open_scheduler(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one scheduler in the process that will run it."""
    begin_telemetry(settings, name)
    async with (
        open_database(settings, application_name=f"schoolos {name}") as db,
        open_objects(settings) as objects,
    ):
        yield Together(
            [
                SchedulerWorker(FeeReminders(db, SystemClock())),
                RetentionWorker(Retention(db, SystemClock())),
                SweepWorker(JobSweeper(db, SystemClock())),
                ExpiryWorker(Expiry(objects)),
            ]
        )


@asynccontextmanager
async def open_upkeep(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open the relay and the scheduler in one process: on one machine each needs little of its own."""
    async with open_relay(settings, f"{name}-relay") as relay, open_scheduler(settings, f"{name}-scheduler") as hours:
        yield Together([relay, hours])


def upkeep_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of upkeep."""
    return partial(open_upkeep, settings)


def upkeep_pool(settings: Settings) -> PoolSpec:
    """Return how upkeep is watched: always one."""
    return PoolSpec(name="upkeep", minimum=1, maximum=1, drain_s=10.0, namespace=settings.ray.namespace)
