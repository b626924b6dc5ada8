"""Batches of report cards: asked for, printed by workers with the real browser, counted from what came of each card."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.access.principal import Role
from core.adapters.chromium import ChromiumRenderer
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.ids import JobId
from core.jobs.model import JobState
from core.reports.batch_records import BatchJob, ItemState
from core.reports.batches import Batches, Wanted
from core.reports.checking import check_card
from core.reports.snapshots import Snapshots
from tests.factories.report_batches import make_browser, marked_class, printing, until
from tests.factories.school import MadeSchool


@pytest.fixture
def store(tmp_path: Path) -> LocalObjectStore:
    """Where cards are put."""
    return LocalObjectStore(tmp_path / "objects", links_url="http://files.test", clock=SystemClock())


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromiumRenderer]:
    """The real browser."""
    made = make_browser(tmp_path_factory.mktemp("browser"))
    await made.start()
    yield made
    await made.close()


async def asked(db: PostgresDatabase, school: MadeSchool, **wanted: object) -> BatchJob:
    """Ask for the first term's cards as the principal."""
    what = {"session_id": school.session, "term_id": school.terms[0], "student_ids": None, **wanted}
    return await Batches(db, SystemClock()).generate(school.as_(Role.PRINCIPAL), Wanted(**what))  # type: ignore[arg-type]  # names of the test


async def ended(db: PostgresDatabase, school: MadeSchool, job: JobId) -> BatchJob:
    """Return a batch when it has ended."""
    batches, found = Batches(db, SystemClock()), list[BatchJob]()

    async def over() -> bool:
        found[:] = [await batches.get(school.as_(Role.PRINCIPAL), job=job)]
        return found[0].job.is_finished

    await until(over)
    return found[0]


async def test_a_batch_is_printed_and_stored(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """Every student's card is finalised, printed as its own document, and stored; the job counts them."""
    school = await marked_class(db, students=3)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=store):
        told = await ended(db, school, job)
    assert told.job.state is JobState.SUCCEEDED, told.job.error
    assert (told.job.done, told.job.failed, told.job.total) == (3, 0, 3)
    items = await Batches(db, SystemClock()).items(
        school.as_(Role.PRINCIPAL), job=job, state=ItemState.DONE, after=None, limit=100
    )
    async with db.tenant(school.id, read_only=True) as tx:
        snapshots = [item.snapshot_id for item in items if item.snapshot_id]
        cards = await Snapshots(db, SystemClock()).load(tx, snapshots)
    for item, card in zip(items, cards, strict=True):
        assert item.object_key == f"{school.id}/reports/{job}/{item.student_id}-report-card.pdf"
        assert check_card(await store.get(item.object_key), card) == item.pages == 1
        assert card.student.id == str(item.student_id)
