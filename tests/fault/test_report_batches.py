"""Browsers die and hang in the middle of a batch: every card comes once, and nothing is left behind.

That printers die is shown on the pool itself, in ``tests/cluster/test_printers.py``.
"""

import logging
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import psutil
import pytest

from core.adapters.chromium import ChromiumRenderer
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.jobs.model import JobState
from core.reports.chunks import ChunkPolicy
from tests.factories.report_batches import (
    Faulty,
    asked,
    ended,
    make_browser,
    marked_class,
    printing,
)

log = logging.getLogger("faults")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port over an empty migrated database."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


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
