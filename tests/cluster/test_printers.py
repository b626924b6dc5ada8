"""The printing pool on real Ray: a printer dies in the middle of a batch, then a browser; every card comes, once."""

import asyncio
import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from actors.pool import pool_status, start_pool, stop_pool
from actors.pool_spec import PoolSpec
from cluster.settings import DatabaseSettings, ReportsSettings, Settings
from cluster.wiring_backlogs import printer_backlog
from cluster.wiring_reports import printer_factory, printer_pool
from core.adapters.postgres import PostgresDatabase
from core.jobs.model import JobState
from tests.factories.report_batches import asked, ended, items_of, marked_class, until

pytestmark = pytest.mark.usefixtures("ray_cluster")

CARDS = 60
PATIENCE_S = 150
"""Nothing here takes a tenth of it but on a machine that does much else."""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


@pytest.fixture
async def pool(database_url: str, tmp_path: Path) -> AsyncIterator[PoolSpec]:
    """A pool of one printer."""
    settings = Settings(
        state_dir=tmp_path,
        database=DatabaseSettings(url=SecretStr(database_url)),
        reports=ReportsSettings(workers_max=1),
    )
    spec = replace(printer_pool(settings), name=f"pdf-{uuid.uuid4().hex[:8]}", ping_every_s=0.2, drain_s=15)
    start_pool(spec, printer_factory(settings), printer_backlog(settings))
    yield spec
    await asyncio.to_thread(stop_pool, spec)


class Printers:
    """The processes of the pool's printers, as they come and go."""

    def __init__(self, spec: PoolSpec) -> None:
        self._spec = spec
        self.seen: set[psutil.Process] = set()

    async def kill_printer(self) -> int:
        """Kill the printer that runs with all it has begun, and return its process."""
        pid = (await asyncio.to_thread(pool_status, self._spec)).workers[0].pid
        assert pid is not None
        printer = psutil.Process(pid)
        self.seen |= {printer, *printer.children(recursive=True)}
        os.kill(pid, signal.SIGKILL)
        return pid

    async def kill_browser(self, *, not_of: int) -> None:
        """Kill the browser's whole group as soon as the printer that replaced a killed one has started it."""
        browsers = list[psutil.Process]()

        async def started() -> bool:
            pid = (await asyncio.to_thread(pool_status, self._spec)).workers[0].pid
            with suppress(psutil.NoSuchProcess, ProcessLookupError):  # a process that ends while it is looked at
                below = psutil.Process(pid).children(recursive=True) if pid not in {None, not_of} else []
                self.seen |= set(below)
                browsers[:] = [each for each in below if os.getpgid(each.pid) == each.pid and _has_renderer(each)]
            return bool(browsers)

        await until(started, PATIENCE_S)
        os.killpg(browsers[0].pid, signal.SIGKILL)

    async def gone(self) -> bool:
        """Tell whether every process that was seen has ended."""
        _, alive = await asyncio.to_thread(psutil.wait_procs, self.seen, 15)
        return not [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def _has_renderer(process: psutil.Process) -> bool:
    return any("--type=renderer" in each.cmdline() for each in process.children(recursive=True))


async def test_a_batch_outlives_its_printer_and_its_browser(
    db: PostgresDatabase, pool: PoolSpec, tmp_path: Path
) -> None:
    """After kill -9 of a printer, and then of a browser, each card is printed and counted once, and nothing is left."""
    school, printers = await marked_class(db, students=20, arms=3), Printers(pool)
    job = (await asked(db, school)).job.id

    async def some_done() -> bool:
        return any(item.state.value == "done" for item in await items_of(db, school, job))

    await until(some_done, PATIENCE_S)
    killed = await printers.kill_printer()
    await printers.kill_browser(not_of=killed)
    half_way = [item for item in await items_of(db, school, job) if item.state.value == "done"]
    told = await ended(db, school, job, PATIENCE_S)
    items = await items_of(db, school, job)
    assert 0 < len(half_way) < CARDS, "the faults did not come in the middle of the batch"
    assert told.job.state is JobState.SUCCEEDED
    assert (told.job.done, told.job.failed, told.job.total) == (CARDS, 0, CARDS)
    assert Counter(item.state.value for item in items) == {"done": CARDS}
    assert len({item.object_key for item in items}) == len(list((tmp_path / "objects").rglob("*-report-card.pdf")))
    assert {item.student_id: item.sha256 for item in half_way}.items() <= {
        item.student_id: item.sha256 for item in items
    }.items(), "a card that was done was printed again"
    await asyncio.to_thread(stop_pool, pool)
    assert await printers.gone()
    assert not list((tmp_path / "printing").glob("schoolos-print-*"))
