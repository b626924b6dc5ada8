"""The only place that builds adapters and hands them to the nouns."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cluster.settings import Settings
from core.adapters.postgres import PostgresDatabase
from core.errors import InvalidInput
from deployments.services import Services


@asynccontextmanager
async def open_database(settings: Settings, *, application_name: str) -> AsyncIterator[PostgresDatabase]:
    """Open the database; its connections are made at first use."""
    if settings.database.url is None:
        raise InvalidInput("SCHOOLOS_DATABASE_URL is not set and no embedded database runs; start with `schoolos up`")
    database = PostgresDatabase(
        settings.database.url.get_secret_value(),
        application_name=application_name,
        pool_max=settings.database.pool_max,
    )
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything the routes need, in order; close in reverse."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_database(settings, application_name="schoolos http"))
        yield Services()
