"""One document printed while somebody waits: through Postgres, by a worker with the real browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from core.adapters.chromium import ChromiumRenderer
from core.adapters.postgres import PostgresDatabase
from core.adapters.postgres_signal import PostgresNotices
from core.clock import SystemClock
from core.errors import InvalidInput, TooMany, Unavailable
from core.reports.ports import RenderFailed
from core.reports.printing_desk import DeskPolicy, PrintingDesk
from core.reports.printing_queue import PRINTED_CHANNEL, PrintQueue, QueuePolicy
from tests.factories.printing import pages_of
from tests.factories.report_batches import make_browser, printing, until
from tests.factories.school import MadeSchool, make_school

HTML = "<!doctype html><title>x</title><p>{}</p>"


@pytest.fixture
async def queue(db: PostgresDatabase, database_url: str) -> AsyncIterator[PrintQueue]:
    """The queue as routes have it."""
    async with asking(db, database_url) as made:
        yield made


@asynccontextmanager
async def asking(
    db: PostgresDatabase, database_url: str, policy: QueuePolicy | None = None
) -> AsyncIterator[PrintQueue]:
    """Open a queue."""
    printed = PostgresNotices(database_url, PRINTED_CHANNEL, application_name="tests listener")
    try:
        yield PrintQueue(db, SystemClock(), printed, policy)
    finally:
        await printed.close()


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school."""
    return await make_school(db)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[ChromiumRenderer]:
    """The real browser."""
    made = make_browser(tmp_path / "browser")
    await made.start()
    yield made
    await made.close()


class Failing:
    """A printer that fails every document, or the first few."""

    def __init__(self, error: RenderFailed, times: int = 99) -> None:
        self.error, self.times, self.asked = error, times, 0

    async def render(self, html: str, *, tagged: bool = False, landscape: bool = False, deadline_s: float) -> bytes:
        """Fail, or give the document back as bytes."""
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return f"%PDF {html} {tagged} {landscape} {deadline_s}".encode()

    async def close(self) -> None:
        """Do nothing."""


async def left(db: PostgresDatabase, school: MadeSchool) -> int:
    """Return how many documents of a school are still kept."""
    async with db.tenant(school.id) as tx:
        count: int = await tx.fetchval("SELECT count(*) FROM report_prints")
    return count


async def test_each_gets_their_own_document(
    db: PostgresDatabase, database_url: str, queue: PrintQueue, school: MadeSchool, browser: ChromiumRenderer
) -> None:
    """Documents asked for at the same time come back each to its own asker, and nothing of them is kept."""
    async with printing(db, database_url, browser):
        asked = [queue.print(school.id, HTML.format(f"number {n}"), landscape=n == 1) for n in range(4)]
        came = [pages_of(pdf)[0] for pdf in await asyncio.gather(*asked)]
    assert [page.text.strip() for page in came] == [f"number {n}" for n in range(4)]
    assert [page.width > page.height for page in came] == [False, True, False, False]
    assert await left(db, school) == 0


async def test_without_a_printer_one_is_told_in_time(
    db: PostgresDatabase, queue: PrintQueue, school: MadeSchool
) -> None:
    """Where no worker takes it in time, the asker is told when to come back, and nothing is left to print."""
    with pytest.raises(Unavailable) as told:
        await queue.print(school.id, HTML, within_s=0.2)
    assert told.value.retry_after_s
    assert await left(db, school) == 0


async def test_a_school_waits_in_a_bounded_line(db: PostgresDatabase, database_url: str, school: MadeSchool) -> None:
    """Past a number of waiting documents a school is refused; another school is not."""
    other = await make_school(db)
    async with asking(db, database_url, QueuePolicy(most_waiting=1)) as queue:
        first = asyncio.create_task(queue.print(school.id, HTML, within_s=60))
        await until(lambda: stands(db, school, "queued"))
        with pytest.raises(TooMany):
            await queue.print(school.id, HTML)
        with pytest.raises(Unavailable):
            await queue.print(other.id, HTML, within_s=0.1)
        first.cancel()


@pytest.mark.parametrize("times", [1, 99])
async def test_a_browser_that_fails_is_tried_once_more(
    db: PostgresDatabase, database_url: str, queue: PrintQueue, school: MadeSchool, times: int
) -> None:
    """A print that may go well at another attempt gets one; after that its asker is told why."""
    failing = Failing(RenderFailed("the browser failed"), times)
    async with printing(db, database_url, failing):
        if times == 1:
            assert (await queue.print(school.id, HTML)).startswith(b"%PDF")
        else:
            with pytest.raises(InvalidInput, match="the browser failed"):
                await queue.print(school.id, HTML)
    assert failing.asked == 2


async def test_a_lost_workers_document_is_another_s(
    db: PostgresDatabase, database_url: str, queue: PrintQueue, school: MadeSchool
) -> None:
    """What a worker had taken when it died is printed by the next when the lease runs out."""
    policy = DeskPolicy(lease=timedelta(milliseconds=300))

    class Stalled(Failing):
        async def render(self, html: str, **_: object) -> bytes:
            await asyncio.sleep(60)
            return html.encode()

    asked = asyncio.create_task(queue.print(school.id, HTML))
    dead = PrintingDesk(db, SystemClock(), Stalled(RenderFailed("")), worker="dead", policy=policy)
    await until(lambda: stands(db, school, "queued"))
    taking = asyncio.create_task(dead.take())
    await until(lambda: stands(db, school, "running"))
    taking.cancel()
    async with printing(db, database_url, Failing(RenderFailed(""), 0)):
        assert (await asked).startswith(b"%PDF")


async def stands(db: PostgresDatabase, school: MadeSchool, state: str) -> bool:
    """Tell whether a school's one document is in this state."""
    async with db.tenant(school.id) as tx:
        return [row["state"] for row in await tx.fetch("SELECT state FROM report_prints")] == [state]


async def test_what_nobody_came_for_is_swept(db: PostgresDatabase, database_url: str, school: MadeSchool) -> None:
    """A document whose asker died is removed when its time is over, and printed no more."""
    async with asking(db, database_url, QueuePolicy(keep=timedelta(0))) as queue:
        asker = asyncio.create_task(queue.print(school.id, HTML))
        await until(lambda: stands(db, school, "queued"))
        desk = PrintingDesk(db, SystemClock(), Failing(RenderFailed("")), worker="w")
        assert not await desk.take()
        assert await desk.sweep() == 1
        with pytest.raises(InvalidInput, match="gone"):
            await asker
