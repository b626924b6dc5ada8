"""A worker that prints in the test's own process, with the real browser."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from cluster.checks import find_browser
from core.access.principal import Role
from core.adapters.chromium import ChromiumRenderer
from core.adapters.postgres_signal import PostgresSignal
from core.clock import SystemClock
from core.ids import JobId, SchoolId, StudentId
from core.ports import Database, ObjectStore
from core.reports.batch_records import BatchJob, Item
from core.reports.batches import Batches, Wanted
from core.reports.chunk_ledger import ChunkLedger
from core.reports.chunks import ChunkDesk, ChunkPolicy
from core.reports.packing import Archive, PackingDesk
from core.reports.ports import PageRenderer
from core.reports.printing_desk import PrintingDesk
from core.reports.printing_worker import PRINTS_CHANNEL, Desk, InTurn, PrintingWorker, WorkerPolicy
from core.reports.release import Release
from core.reports.snapshots import Snapshots
from tests.factories.printing import FONTS
from tests.factories.report_records import give_marks
from tests.factories.school import MadeSchool, make_school

QUICK = WorkerPolicy(look_every=timedelta(milliseconds=100))


def make_browser(folder: Path) -> ChromiumRenderer:
    """Return the real browser, not started yet."""
    program = find_browser()
    assert program, "there is no Chromium: run `make setup`"
    return ChromiumRenderer(program, fonts=FONTS, folder=folder)


class NoArchive:
    """Packs nothing."""

    async def pack(self, school: SchoolId, job: JobId, *, beat: Callable[[], Awaitable[bool]]) -> None:
        """Tell that the work goes on."""
        assert await beat()


def make_chunk_desk(
    db: Database, renderer: PageRenderer, store: ObjectStore, name: str, policy: ChunkPolicy | None = None
) -> ChunkDesk:
    """Return what prints chunks."""
    clock, policy = SystemClock(), policy or ChunkPolicy()
    return ChunkDesk(
        db,
        ChunkLedger(db, clock, worker=name, lease=policy.lease),
        renderer,
        store=store,
        snapshots=Snapshots(db, clock),
        release=Release(db, clock),
        verify_url="https://school.example/verify",
        policy=policy,
    )


@asynccontextmanager
async def printing(
    db: Database,
    database_url: str,
    renderer: PageRenderer,
    *,
    store: ObjectStore | None = None,
    archive: Archive | None = None,
    policy: ChunkPolicy | None = None,
) -> AsyncIterator[PrintingWorker]:
    """Run a worker that prints what people wait for, and batches where there is a store for their cards."""
    name = f"printer-{uuid4().hex[:8]}"
    signal = PostgresSignal(database_url, PRINTS_CHANNEL, application_name=name)
    desks: list[Desk] = [PrintingDesk(db, SystemClock(), renderer, worker=name)]
    if store is not None:
        packing = PackingDesk(db, SystemClock(), archive or NoArchive(), worker=name)
        desks.append(InTurn([packing, make_chunk_desk(db, renderer, store, name, policy)]))
    worker = PrintingWorker(desks, signal, policy=QUICK)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await running
        await signal.close()


async def marked_class(db: Database, *, students: int = 2, arms: int = 1) -> MadeSchool:
    """Return a school whose students have all marks of the first term."""
    school = await make_school(db, arms=arms, students=students)
    for arm, arm_id in enumerate(school.arms):
        own = [who for who in school.students if school.arm_of[who] == arm_id]
        marks = {
            subject: {who: (9, 8, 10 + number % 10, 30 + number % 30) for number, who in enumerate(own)}
            for subject in range(len(school.subjects))
        }
        await give_marks(db, school, marks, arm=arm)
    return school


async def asked(db: Database, school: MadeSchool, *, as_: Role = Role.PRINCIPAL, **wanted: Any) -> BatchJob:
    """Ask for the first term's cards of the whole school."""
    what = {"session_id": school.session, "term_id": school.terms[0], "student_ids": None, **wanted}
    return await Batches(db, SystemClock()).generate(school.as_(as_), Wanted(**what))


async def ended(db: Database, school: MadeSchool, job: JobId, within_s: float = 60) -> BatchJob:
    """Return a batch when it has ended."""
    batches, found = Batches(db, SystemClock()), list[BatchJob]()

    async def over() -> bool:
        found[:] = [await batches.get(school.as_(Role.PRINCIPAL), job=job)]
        return found[0].job.is_finished

    await until(over, within_s)
    return found[0]


async def heard_since(db: Database, school: MadeSchool, job: JobId, before: datetime | None) -> bool:
    """Tell whether a batch's worker was heard of after a moment."""
    told = await Batches(db, SystemClock()).get(school.as_(Role.PRINCIPAL), job=job)
    return told.job.heartbeat_at != before


async def items_of(db: Database, school: MadeSchool, job: JobId) -> list[Item]:
    """Return what came of each card."""
    return await Batches(db, SystemClock()).items(
        school.as_(Role.PRINCIPAL), job=job, state=None, after=None, limit=10_000
    )


async def number_of(db: Database, school: MadeSchool, student: StudentId) -> str:
    """Return a student's number."""
    async with db.tenant(school.id, read_only=True) as tx:
        number: str = await tx.fetchval("SELECT student_no FROM students WHERE id = $1", student)
    return number


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 60) -> None:
    """Return as soon as something holds."""
    end = monotonic() + within_s
    while not await holds():
        assert monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(0.005)


class Faulty:
    """The real browser behind something that goes wrong for some documents."""

    def __init__(self, browser: PageRenderer, goes_wrong: Callable[[str], str]) -> None:
        """``goes_wrong`` is asked before each print: it raises, or returns what is printed instead."""
        self._browser = browser
        self._goes_wrong = goes_wrong
        self.asked = 0

    async def render(self, html: str, *, tagged: bool = False, landscape: bool = False, deadline_s: float) -> bytes:
        """Print what is left of a document."""
        self.asked += 1
        html = self._goes_wrong(html)
        return await self._browser.render(html, tagged=tagged, landscape=landscape, deadline_s=deadline_s)

    async def close(self) -> None:
        """Leave the browser to its owner."""
