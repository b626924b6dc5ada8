"""Batches of report cards: asked for, printed by workers with the real browser, counted from what came of each card."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from core import telemetry
from core.access.principal import Role
from core.adapters.chromium import ChromiumRenderer
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import Conflict, NotFound, NotPermitted, TooMany, Unavailable
from core.jobs.model import Asker, JobState
from core.jobs.service import Jobs
from core.jobs.sweeping import JobSweeper
from core.reports import style_store
from core.reports.batch_records import CARDS_A_DOCUMENT, ItemState
from core.reports.batch_store import keep_alive, waiting_work
from core.reports.batches import Batches, OnBlocked
from core.reports.card import CardStyle
from core.reports.checking import check_card
from core.reports.chunks import ChunkPolicy
from core.reports.leases import Hold
from core.reports.ports import RenderFailed
from core.reports.snapshots import Snapshots
from core.school.model import PolicyKind
from tests.factories.report_batches import (
    Faulty,
    asked,
    ended,
    heard_since,
    items_of,
    make_browser,
    make_chunk_desk,
    marked_class,
    number_of,
    printing,
    until,
)
from tests.factories.report_records import charge, settle


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


async def test_a_batch_is_printed_and_stored(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """Every student's card is finalised, printed as its own document, and stored; the job counts them."""
    school = await marked_class(db, students=3, arms=2)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=store):
        told = await ended(db, school, job)
    assert told.job.state is JobState.SUCCEEDED, told.job.error
    assert (told.job.done, told.job.failed, told.job.total) == (6, 0, 6)
    items = await items_of(db, school, job)
    async with db.tenant(school.id, read_only=True) as tx:
        cards = await Snapshots(db, SystemClock()).load(tx, [item.snapshot_id for item in items if item.snapshot_id])
    for item, card in zip(items, cards, strict=True):
        assert item.object_key == f"{school.id}/reports/{job}/{item.student_id}-report-card.pdf"
        content = await store.get(item.object_key)
        assert check_card(content, card) == item.pages == 1
        assert (len(content), hashlib.sha256(content).hexdigest()) == (item.bytes, item.sha256)
        assert card.student.id == str(item.student_id)


async def test_tagged_cards_keep_their_structure(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """Cards of a school that wants them accessible are printed one by one, each with its structure."""
    school = await marked_class(db)
    async with db.tenant(school.id) as tx:
        await style_store.save(tx, school.id, CardStyle(tagged=True), 0)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=store):
        assert (await ended(db, school, job)).counts.done == 2
    for item in await items_of(db, school, job):
        with pikepdf.open(io.BytesIO(await store.get(item.object_key or ""))) as document:
            assert "/StructTreeRoot" in document.Root


@pytest.mark.parametrize("fault", ["unprintable", "another's name", "broken store"])
async def test_one_bad_card_costs_only_itself(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore, fault: str
) -> None:
    """A card that can't be printed, comes out wrong or breaks what handles it is reported; the others are delivered."""
    school = await marked_class(db, students=5)
    poisoned = school.students[2]
    number = await number_of(db, school, poisoned)

    def goes_wrong(html: str) -> str:
        if fault == "unprintable" and number in html:
            raise RenderFailed("the page is too long to be printed", False)
        return html.replace(number, "KCL/S/00/0000") if fault == "another's name" else html

    class Breaking(LocalObjectStore):
        async def put(self, key: str, content: bytes, content_type: str) -> None:
            if fault == "broken store" and str(poisoned) in key:
                raise KeyError(key)
            await super().put(key, content, content_type)

    broken = Breaking(store._folder, links_url="http://files.test", clock=SystemClock())
    faulty = Faulty(browser, goes_wrong)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, faulty, store=broken):
        told = await ended(db, school, job)
    assert told.job.state is JobState.COMPLETED_WITH_ERRORS
    assert (told.job.done, told.job.failed, told.job.total) == (5, 1, 5)
    failed = [item for item in await items_of(db, school, job) if item.state is ItemState.FAILED]
    assert [item.student_id for item in failed] == [poisoned]
    assert failed[0].reason.endswith(".")
    assert {"unprintable": "too long", "another's name": "student's number", "broken store": "support"}[
        fault
    ] in failed[0].reason
    assert faulty.asked <= 7, "five cards are halved at most three times"


async def test_only_what_failed_is_printed_again(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """A retry is a new job that takes over what was printed and prints the rest; one without need is refused."""
    school = await marked_class(db, students=3)
    number = await number_of(db, school, school.students[1])

    def goes_wrong(html: str) -> str:
        if number in html:
            raise RenderFailed("no", False)
        return html

    job = (await asked(db, school)).job.id
    async with printing(db, database_url, Faulty(browser, goes_wrong), store=store):
        assert (await ended(db, school, job)).counts.failed == 1
    batches, principal = Batches(db, SystemClock()), school.as_(Role.PRINCIPAL)
    again = await batches.retry(principal, job=job)
    assert (again.batch.retry_of, again.counts.done, again.counts.total) == (job, 2, 3)
    healthy = Faulty(browser, lambda html: html)
    async with printing(db, database_url, healthy, store=store):
        assert (await ended(db, school, again.job.id)).job.state is JobState.SUCCEEDED
    assert healthy.asked == 1
    before, after = await items_of(db, school, job), await items_of(db, school, again.job.id)
    assert [item.object_key for item in after][::2] == [item.object_key for item in before][::2]
    with pytest.raises(Conflict, match="every card"):
        await batches.retry(principal, job=again.job.id)


async def test_a_store_that_is_away_is_waited_for(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """While the store is away no attempt is used up; the cards that come are those that were finalised before."""
    school = await marked_class(db)
    ada = school.students[0]
    away = 4

    class Away(LocalObjectStore):
        async def put(self, key: str, content: bytes, content_type: str) -> None:
            nonlocal away
            if away:
                away -= 1
                async with db.tenant(school.id) as tx:
                    await tx.execute("UPDATE marks SET value = 1 WHERE student_id = $1 AND component = 'exam'", ada)
                raise Unavailable("the store does not answer")
            await super().put(key, content, content_type)

    unsteady = Away(store._folder, links_url="http://files.test", clock=SystemClock())
    policy = ChunkPolicy(again_after=timedelta(milliseconds=20), most_starts=1)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=unsteady, policy=policy):
        told = await ended(db, school, job)
    assert told.job.state is JobState.SUCCEEDED
    async with db.tenant(school.id, read_only=True) as tx:
        assert await tx.fetchval("SELECT count(*) FROM report_snapshots WHERE student_id = $1", ada) == 1


async def test_a_store_that_stays_away_fails_the_cards_in_words(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """A store that does not come back within the policy's patience ends the job with that reason."""
    school = await marked_class(db)

    class Gone(LocalObjectStore):
        async def put(self, key: str, content: bytes, content_type: str) -> None:
            raise Unavailable("the store does not answer")

    gone = Gone(store._folder, links_url="http://files.test", clock=SystemClock())
    policy = ChunkPolicy(again_after=timedelta(milliseconds=5), wait_at_most=timedelta(milliseconds=5), most_waits=2)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=gone, policy=policy):
        told = await ended(db, school, job)
    assert told.job.state is JobState.FAILED
    assert told.job.error
    assert {item.reason for item in await items_of(db, school, job)} == {
        "The store for files did not answer for too long."
    }


@pytest.mark.parametrize("way", ["batch", "job"])
async def test_cancelling_keeps_what_is_printed(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore, way: str
) -> None:
    """What is printed when a batch is stopped stays; the rest is not printed, whichever route it was stopped by."""
    school = await marked_class(db, students=CARDS_A_DOCUMENT, arms=2)
    job, principal = (await asked(db, school)).job.id, school.as_(Role.PRINCIPAL)
    at_second, go_on = asyncio.Event(), asyncio.Event()

    class Gated(Faulty):
        async def render(self, html: str, **options: Any) -> bytes:
            if self.asked == 1:
                at_second.set()
                await go_on.wait()
            return await super().render(html, **options)

    batches = Batches(db, SystemClock())
    policy = ChunkPolicy(lease=timedelta(seconds=2))
    async with printing(db, database_url, Gated(browser, lambda html: html), store=store, policy=policy):
        await at_second.wait()
        # As it was in the very transaction that asked to stop: whatever is heard after that was told so.
        if way == "batch":
            before = (await batches.cancel(principal, job=job)).job.heartbeat_at
        else:
            asker = Asker(school.id, principal.user_id, sees_all=True)
            before = (await Jobs(db, SystemClock()).request_cancel(asker, job=job)).heartbeat_at
        await until(lambda: heard_since(db, school, job, before))  # the lease is renewed, and told to stop
        go_on.set()
        told = await ended(db, school, job)
    assert told.job.state is JobState.CANCELLED
    assert (told.counts.done, told.counts.cancelled) == (CARDS_A_DOCUMENT, CARDS_A_DOCUMENT)
    with pytest.raises(Conflict):
        await batches.cancel(principal, job=job)


async def test_a_batch_cancelled_before_its_start_prints_nothing(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """A batch that is stopped while it waits leaves no work behind."""
    school = await marked_class(db)
    job = (await asked(db, school)).job.id
    principal = school.as_(Role.PRINCIPAL)
    await Jobs(db, SystemClock()).request_cancel(Asker(school.id, principal.user_id), job=job)
    unused = Faulty(browser, lambda html: html)

    async def nothing_waits() -> bool:
        return await waiting_work(db) == 0

    async with printing(db, database_url, unused, store=store):
        await until(nothing_waits)
    assert unused.asked == 0
    told = await Batches(db, SystemClock()).get(principal, job=job)
    assert (told.job.state, told.counts.cancelled) == (JobState.CANCELLED, 2)


async def test_blocked_cards_are_refused_left_out_or_printed(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """Cards that lack what the policy asks for stop a batch with a list, are left out with reasons, or are printed."""
    school = await marked_class(db)
    async with db.tenant(school.id) as tx:
        await tx.execute("DELETE FROM marks WHERE student_id = $1 AND component = 'exam'", school.students[1])
    with pytest.raises(Conflict) as refused:
        await asked(db, school)
    assert len(refused.value.faults) == 2
    async with printing(db, database_url, browser, store=store):
        left_out = await ended(db, school, (await asked(db, school, on_blocked=OnBlocked.SKIP)).job.id)
        printed = await ended(db, school, (await asked(db, school, on_blocked=OnBlocked.PRINT)).job.id)
    assert (left_out.counts.done, left_out.counts.failed) == (1, 1)
    reasons = [item.reason for item in await items_of(db, school, left_out.job.id)]
    assert [bool(reason) for reason in reasons] == [False, True]
    assert "missing" in reasons[1]
    assert (printed.counts.done, printed.job.state) == (2, JobState.SUCCEEDED)


async def test_withheld_cards_are_not_printed(
    db: PostgresDatabase, database_url: str, browser: ChromiumRenderer, store: LocalObjectStore
) -> None:
    """Where the release policy holds cards back, the batch says so in words, prints none, and none counts as failed."""
    school = await marked_class(db)
    await settle(db, school, PolicyKind.REPORT_RELEASE, withholdUnpaid=True, overdueOnly=False)
    await charge(db, school, 5_000_00, date(2027, 10, 1))
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=store):
        told = await ended(db, school, job)
    assert (told.counts.withheld, told.job.failed, told.job.state) == (2, 0, JobState.COMPLETED_WITH_ERRORS)
    assert told.job.error
    assert told.job.error["title"] == "No card was printed"
    assert all("bursar" in item.reason for item in await items_of(db, school, job))


async def test_who_lost_the_lease_changes_nothing(
    db: PostgresDatabase,
    database_url: str,
    browser: ChromiumRenderer,
    store: LocalObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that was away while another took its chunk over writes nothing down when it comes back."""
    school = await marked_class(db)
    job = (await asked(db, school)).job.id
    printed, go_on = asyncio.Event(), asyncio.Event()

    class Away(Faulty):
        async def render(self, html: str, **options: Any) -> bytes:
            printed.set()
            await go_on.wait()
            return await super().render(html, **options)

    lease = timedelta(milliseconds=300)
    away = make_chunk_desk(db, Away(browser, lambda html: html), store, "away", ChunkPolicy(lease=lease))
    monkeypatch.setattr(away._ledger, "renew", unheard)  # its connection is cut
    working = asyncio.create_task(away.take())
    await printed.wait()
    async with printing(db, database_url, browser, store=store):
        told = await ended(db, school, job)
    before = await items_of(db, school, job)
    go_on.set()
    await working
    assert (told.job.done, told.job.failed) == (2, 0)
    assert await items_of(db, school, job) == before
    assert away.printed == 0


async def test_a_batch_is_one_trace_without_names(
    db: PostgresDatabase,
    database_url: str,
    browser: ChromiumRenderer,
    store: LocalObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What asking and printing take is one trace from `generate-batch` on (P5-14), and holds nothing personal."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("tests"))
    school = await marked_class(db)
    job = (await asked(db, school)).job.id
    async with printing(db, database_url, browser, store=store):
        await ended(db, school, job)
    (root,) = [each for each in exporter.get_finished_spans() if each.name == "generate-batch"]
    batch = [each for each in exporter.get_finished_spans() if each.context.trace_id == root.context.trace_id]
    steps = {"finalise-cards", "lay-out-cards", "print-cards", "part-and-check-cards", "store-cards"}
    assert {each.name for each in batch} >= {"generate-batch", "render-chunk", "pack-cards", *steps}
    held = repr([each.attributes for each in batch])
    assert not any(name in held for name in ("Tọ́lá", await number_of(db, school, school.students[0])))


async def unheard(_: object) -> Hold:
    """Fail, as when the database can't be reached."""
    raise Unavailable("cut off")


async def test_a_school_has_only_so_many_batches_at_a_time(db: PostgresDatabase) -> None:
    """Past a number of open batches another is refused for now; those that wait are not taken for abandoned."""
    school = await marked_class(db)
    jobs = [(await asked(db, school)).job.id for _ in range(20)]
    with pytest.raises(TooMany):
        await asked(db, school)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE jobs SET state = 'running', heartbeat_at = now() - interval '1 hour'")
    async with db.dispatch() as tx:
        assert await keep_alive(tx, SystemClock().now()) >= len(jobs)
    await JobSweeper(db, SystemClock()).sweep()
    told = await Batches(db, SystemClock()).get(school.as_(Role.PRINCIPAL), job=jobs[0])
    assert told.job.state is JobState.RUNNING


async def test_only_managers_of_reports_ask(db: PostgresDatabase) -> None:
    """Teachers and guardians start no batch; another school's term and job are not there."""
    school, other = await marked_class(db), await marked_class(db)
    for role in (Role.CLASS_TEACHER, Role.GUARDIAN):
        with pytest.raises(NotPermitted):
            await asked(db, school, as_=role)
    with pytest.raises(NotFound):
        await asked(db, school, term_id=other.terms[0])
    with pytest.raises(NotFound):
        await asked(db, school, student_ids=other.students)
    job = (await asked(db, school)).job.id
    with pytest.raises(NotFound):
        await Batches(db, SystemClock()).get(other.as_(Role.PRINCIPAL), job=job)
