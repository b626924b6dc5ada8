"""Builds the workers that print report cards; apart from ``wiring_workers``, for theirs are other imports."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from actors.pdf import RESOURCE, PdfWorker
from actors.pool_spec import PoolSpec, Worker, WorkerFactory
from cluster.checks import find_browser
from cluster.garbage import rarely_collecting
from cluster.settings import Settings
from cluster.wiring_ground import begin_telemetry, database_url, open_clock, open_database
from cluster.wiring_objects import fonts_of, open_objects
from core.adapters.chromium import ChromiumRenderer
from core.adapters.postgres_signal import PostgresSignal
from core.errors import Unavailable
from core.reports import batch_store
from core.reports.archive import Archivist
from core.reports.chunk_ledger import ChunkLedger
from core.reports.chunks import ChunkDesk, ChunkPolicy
from core.reports.faces import css
from core.reports.fonts import Fonts
from core.reports.packing import PackingDesk
from core.reports.printing_desk import PrintingDesk
from core.reports.printing_worker import PRINTS_CHANNEL, InTurn, PrintingWorker
from core.reports.release import Release
from core.reports.snapshots import Snapshots

_CHUNKS_A_WORKER = 2
"""Another worker is worth its start of some seconds where so many chunks wait for each."""


def can_print(settings: Settings) -> bool:
    """Tell whether printers are to be started: on one machine where it has a browser, on a cluster always."""
    return settings.ray.address is not None or find_browser() is not None


def verify_url(settings: Settings) -> str:
    """Return the page that answers for the serials on cards."""
    return f"{settings.http.url}/verify"


@asynccontextmanager
async def open_printer(settings: Settings, name: str) -> AsyncIterator[Worker]:
    """Open one printer with its browser in the process that will run it."""
    begin_telemetry(settings, name)
    fonts = fonts_of(settings)
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings, application_name=f"schoolos {name}"))
        clock = await stack.enter_async_context(open_clock(db))
        store = await stack.enter_async_context(open_objects(settings))
        signal = PostgresSignal(database_url(settings), PRINTS_CHANNEL, application_name=f"schoolos {name} listener")
        stack.push_async_callback(signal.close)
        browser = ChromiumRenderer(_program(), fonts=fonts, folder=settings.state_dir.absolute() / "printing")
        stack.push_async_callback(browser.close)
        # The lease's owner is this very process: one that takes the place over must not pass for it.
        worker, policy = f"{name}/{uuid4().hex[:8]}", ChunkPolicy()
        ledger = ChunkLedger(db, clock, worker=worker, lease=policy.lease)
        documents = PrintingDesk(db, clock, browser, worker=worker)
        chunks = ChunkDesk(
            db,
            ledger,
            browser,
            store=store,
            snapshots=Snapshots(db, clock),
            release=Release(db, clock),
            verify_url=verify_url(settings),
            policy=policy,
        )
        packing = PackingDesk(db, clock, Archivist(db, store, clock), worker=worker)

        async def keep_alive() -> None:
            async with db.dispatch() as tx:
                await batch_store.keep_alive(tx, clock.now())

        def figures() -> Mapping[str, float]:
            return {"cards_printed": float(chunks.printed), "documents_printed": float(documents.printed)}

        async def rest() -> None:
            if settings.reports.browser_idle_s:
                await browser.rest(settings.reports.browser_idle_s)

        printing = PrintingWorker(
            [documents, InTurn([packing, chunks])], signal, upkeep=[keep_alive, documents.sweep, rest]
        )
        stack.enter_context(rarely_collecting())  # else somebody waits a fifth of a second longer for a preview
        prepare = partial(_cut, fonts) if settings.reports.browser_idle_s else partial(_warm, browser, fonts)
        yield PdfWorker(printing, prepare=prepare, give_back=ledger.release, figures=figures)


async def _cut(fonts: Fonts) -> None:
    """Have the typefaces cut, once a machine, so that nobody waits for that."""
    await asyncio.to_thread(fonts.files)


async def _warm(browser: ChromiumRenderer, fonts: Fonts) -> None:
    """Start the browser and let it print once, so that nobody waits for that either."""
    await _cut(fonts)
    page = f"<!doctype html><style>{css('sans')}p{{font-family:Card}}b{{font-weight:700}}</style><p>Ẹ̀kọ́ <b>ọ̀rẹ́</b></p>"
    await browser.render(page, deadline_s=60.0)


def _program() -> Path:
    found = find_browser()
    if found is None:
        raise Unavailable("there is no Chromium on this machine, so nothing can be printed here")
    return found


def printer_factory(settings: Settings) -> WorkerFactory:
    """Return the picklable factory of printers."""
    return partial(open_printer, settings)


def printer_pool(settings: Settings) -> PoolSpec:
    """Return how the printing pool is sized and watched."""
    return PoolSpec(
        name="pdf",
        minimum=settings.reports.workers_min,
        maximum=settings.reports.workers_max,
        backlog_per_worker=_CHUNKS_A_WORKER,
        start_timeout_s=90.0,  # fonts are cut and a browser is started, on a machine that may be busy
        drain_s=30.0,
        namespace=settings.ray.namespace,
        resources={RESOURCE: 1},
    )
