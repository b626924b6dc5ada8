"""Printers die and browsers hang in the middle of a batch: every card comes once, and nothing is left behind."""

import asyncio
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import psutil
import pytest

from core.adapters.chromium import ChromiumRenderer
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.ids import JobId
from core.jobs.model import JobState
from core.reports.chunks import ChunkPolicy
from tests.factories.report_batches import (
    Faulty,
    asked,
    ended,
    items_of,
    make_browser,
    marked_class,
    printing,
    until,
)
from tests.factories.school import MadeSchool

ROOT = Path(__file__).parents[2]
log = logging.getLogger("faults")
PRINTER = """
import asyncio, sys
from cluster.settings import Settings
from cluster.wiring_reports import open_printer

async def main():
    async with open_printer(Settings.from_environment(), sys.argv[1]) as worker:
        await worker.start()
        print("started", flush=True)
        while True:
            await worker.ping()
            await asyncio.sleep(0.2)

asyncio.run(main())
"""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port over an empty migrated database."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


@asynccontextmanager
async def printer(name: str, database_url: str, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a printer as the pool does, in a process of its own."""
    environment = {**os.environ, "SCHOOLOS_DATABASE_URL": database_url, "SCHOOLOS_STATE_DIR": str(state)}
    log = (state / f"{name}.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PRINTER, name, cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        log.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def done(db: PostgresDatabase, school: MadeSchool, job: JobId) -> int:
    """Return how many cards of a batch are printed."""
    return sum(item.state.value == "done" for item in await items_of(db, school, job))


async def test_a_killed_printers_chunk_is_printed_by_another(
    db: PostgresDatabase, database_url: str, tmp_path: Path
) -> None:
    """After kill -9 of a printer the next prints every card, once; its browser dies with it, its folder is removed."""
    school = await marked_class(db, students=20, arms=3)
    job = (await asked(db, school)).job.id
    async with printer("pdf-0", database_url, tmp_path) as first:

        async def some_done() -> bool:
            return await done(db, school, job) > 0

        await until(some_done, 150)
        below = psutil.Process(first.pid).children(recursive=True)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        killed = perf_counter()
        async with printer("pdf-0", database_url, tmp_path):
            told = await ended(db, school, job, 150)
            took = perf_counter() - killed
            _, alive = await asyncio.to_thread(psutil.wait_procs, below, 15)
    log.info("all cards %.1f s after the kill, load %.1f", took, os.getloadavg()[0])
    assert not [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert told.job.state is JobState.SUCCEEDED
    assert (told.job.done, told.job.failed, told.job.total) == (60, 0, 60)
    keys = Counter(item.object_key for item in await items_of(db, school, job))
    assert len(keys) == 60
    files = list((tmp_path / "objects").rglob("*-report-card.pdf"))
    assert len(files) == 60
    owners = [folder.name.split("-")[2] for folder in (tmp_path / "printing").glob("schoolos-print-*")]
    assert str(first.pid) not in owners


@pytest.mark.parametrize("harm", ["browser killed", "renderer hung"])
async def test_a_browser_that_fails_costs_no_card(
    db: PostgresDatabase, database_url: str, tmp_path: Path, harm: str
) -> None:
    """A browser that is killed, or hangs past its deadline, in the middle of a chunk is replaced; every card comes."""
    school = await marked_class(db, students=6)
    store = LocalObjectStore(tmp_path / "objects", links_url="http://files.test", clock=SystemClock())
    browser = make_browser(tmp_path / "browser")
    await browser.start()
    harmed = perf_counter()

    class Harmed(Faulty):
        async def render(self, html: str, *, tagged: bool = False, landscape: bool = False, deadline_s: float) -> bytes:
            if self.asked == 0:
                strike(browser, harm)
            return await super().render(html, tagged=tagged, landscape=landscape, deadline_s=deadline_s)

    job = (await asked(db, school)).job.id
    policy = ChunkPolicy(print_s=4.0, again_after=timedelta(milliseconds=50))
    if harm == "browser killed":
        policy = ChunkPolicy(again_after=timedelta(milliseconds=50))
    async with printing(db, database_url, Harmed(browser, lambda html: html), store=store, policy=policy):
        told = await ended(db, school, job)
    took = perf_counter() - harmed
    log.info("%s: all cards %.1f s after, load %.1f", harm, took, os.getloadavg()[0])
    await browser.close()
    assert (told.job.state, told.job.done, told.job.failed) == (JobState.SUCCEEDED, 6, 0)
    assert not list((tmp_path / "browser").iterdir())


def strike(browser: ChromiumRenderer, harm: str) -> None:
    """Kill a browser, or stop the process in which it lays pages out."""
    assert browser.pid
    leader = psutil.Process(browser.pid)
    if harm == "browser killed":
        os.killpg(leader.pid, signal.SIGKILL)
        return
    for process in leader.children(recursive=True):
        if "--type=renderer" in process.cmdline():
            process.suspend()
