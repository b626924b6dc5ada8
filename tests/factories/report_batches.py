"""A worker that prints in the test's own process, with the real browser."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from uuid import uuid4

from cluster.checks import find_browser
from core.adapters.chromium import ChromiumRenderer
from core.adapters.postgres_signal import PostgresSignal
from core.clock import SystemClock
from core.ports import Database
from core.reports.ports import PageRenderer
from core.reports.printing_desk import PrintingDesk
from core.reports.printing_worker import PRINTS_CHANNEL, PrintingWorker, WorkerPolicy
from tests.factories.printing import FONTS

QUICK = WorkerPolicy(look_every=timedelta(milliseconds=100))


def make_browser(folder: Path) -> ChromiumRenderer:
    """Return the real browser, not started yet."""
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    return ChromiumRenderer(program, fonts=FONTS, folder=folder)


@asynccontextmanager
async def printing(db: Database, database_url: str, renderer: PageRenderer) -> AsyncIterator[PrintingWorker]:
    """Run a worker that prints what people wait for."""
    name = f"printer-{uuid4().hex[:8]}"
    signal = PostgresSignal(database_url, PRINTS_CHANNEL, application_name=name)
    worker = PrintingWorker([PrintingDesk(db, SystemClock(), renderer, worker=name)], signal, policy=QUICK)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running
        await signal.close()


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
    """Return as soon as something holds."""
    end = monotonic() + within_s
    while not await holds():
        assert monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(0.005)
