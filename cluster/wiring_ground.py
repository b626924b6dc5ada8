"""Opens what processes of the system need: telemetry, database, clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster.settings import Settings
from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_clock import PostgresClock
from core.adapters.telemetry import TelemetryOptions, start_telemetry
from core.clock import Clock, SystemClock
from core.errors import InvalidInput
from core.ports import Database


def begin_telemetry(settings: Settings, role: str) -> None:
    """Set up logs, traces and figures of this process; ``role`` says what it is."""
    telemetry = settings.telemetry
    options = TelemetryOptions(telemetry.otlp_endpoint, telemetry.sample_ratio, telemetry.log_level)
    start_telemetry("schoolos", options, role=role)


@asynccontextmanager
async def open_database(settings: Settings, *, application_name: str) -> AsyncIterator[PostgresDatabase]:
    """Open the database; its connections are made at first use."""
    database = PostgresDatabase(
        database_url(settings),
        application_name=application_name,
        pool_max=settings.database.pool_max,
    )
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_clock(db: Database) -> AsyncIterator[Clock]:
    """Open the one time of all workers: the database's."""
    clock = PostgresClock(db, SystemClock())
    await clock.start()
    looking = asyncio.create_task(clock.run())
    try:
        yield clock
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def database_url(settings: Settings) -> str:
    """Return the login of the running system. Raises ``InvalidInput`` where there is none."""
    if settings.database.url is None:
        raise InvalidInput("SCHOOLOS_DATABASE_URL is not set and no embedded database runs; start with `schoolos up`")
    return settings.database.url.get_secret_value()
