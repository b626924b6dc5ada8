"""Builds what the pools are sized by; apart from workers' wiring, for their supervisor imports no more than this."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from actors.pool_spec import Backlog, BacklogFactory
from cluster.settings import Settings
from cluster.wiring_ground import begin_telemetry, open_clock, open_database
from cluster.wiring_limits import channel_rates
from cluster.wiring_stream import open_stream
from core.notifications.backlog import Backlog as NotifierBacklog
from core.reports.batch_store import waiting_work


@asynccontextmanager
async def open_notifier_backlog(settings: Settings) -> AsyncIterator[Backlog]:
    """Open what the notifier pool is sized by, in its supervisor's process."""
    begin_telemetry(settings, "supervisor")
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name="schoolos notifier backlog"))
        stream = await stack.enter_async_context(open_stream(settings, client_name="schoolos notifier backlog"))
        clock = await stack.enter_async_context(open_clock(db))
        yield NotifierBacklog(db, stream, clock, rates=channel_rates(settings))


@asynccontextmanager
async def open_printer_backlog(settings: Settings) -> AsyncIterator[Backlog]:
    """Open what the printing pool is sized by, in its supervisor's process, which needs nothing that prints."""
    begin_telemetry(settings, "supervisor")
    async with open_database(settings, application_name="schoolos pdf backlog") as db:
        yield partial(waiting_work, db)


def printer_backlog(settings: Settings) -> BacklogFactory:
    """Return the picklable factory of the printing pool's backlog."""
    return partial(open_printer_backlog, settings)


def notifier_backlog(settings: Settings) -> BacklogFactory:
    """Return the picklable factory of the notifier pool's backlog."""
    return partial(open_notifier_backlog, settings)
