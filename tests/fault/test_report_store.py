"""The store for files goes away in the middle of a batch: the job waits, and every card lies in it in the end."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic

import boto3
import pytest
from moto.server import ThreadedMotoServer

from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.adapters.s3_store import S3ObjectStore
from core.clock import SystemClock
from core.jobs.model import JobState
from core.ports import ObjectStore
from core.reports.archive import Archivist
from core.reports.chunks import ChunkPolicy
from core.reports.packing import PackingPolicy
from tests.factories.report_batches import asked, ended, items_of, make_browser, marked_class, printing, until

log = logging.getLogger("faults")

REGION = "eu-west-1"
CARDS = 30
BUCKET_AWAY_S = 10.0
FOLDER_AWAY_S = 2.0
BACK_WITHIN_S = 90.0
"""The longest pauses of chunks and of packing, one after the other, and printing on a machine that does much else."""
assert (ChunkPolicy().wait_at_most + PackingPolicy().wait_at_most).total_seconds() < BACK_WITHIN_S / 2


class Bucket:
    """A bucket whose server stops."""

    def __init__(self) -> None:
        self._server = self._started(0)
        host, self._port = self._server.get_host_and_port()
        endpoint = f"http://{host}:{self._port}"
        owner = boto3.client(
            "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret"
        )
        owner.create_bucket(Bucket="cards", CreateBucketConfiguration={"LocationConstraint": REGION})
        owner.close()
        self.store = S3ObjectStore("cards", endpoint=endpoint, region=REGION, access_key="key", secret_key="secret")

    @staticmethod
    def _started(port: int) -> ThreadedMotoServer:
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()
        return server

    def begin(self) -> None:
        """Stop the server, so that every connection is refused."""
        self._server.stop()

    def end(self) -> None:
        """Start it again at the same address; its files are this process's."""
        self._server = self._started(self._port)

    def close(self) -> None:
        """Stop for good."""
        self.store.close()
        self._server.stop()


class Folder:
    """A folder in whose place there is something that can't be written or read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store = LocalObjectStore(folder, links_url="http://files.test", clock=SystemClock())

    def begin(self) -> None:
        """Put the folder aside, and a file in its place: that holds for root too."""
        self._folder.rename(self._folder.with_suffix(".aside"))
        self._folder.touch()

    def end(self) -> None:
        """Put the folder back."""
        self._folder.unlink()
        self._folder.with_suffix(".aside").rename(self._folder)


@contextmanager
def _outage(kind: str, folder: Path) -> Iterator["Bucket | Folder"]:
    if kind == "folder":
        yield Folder(folder)
        return
    bucket = Bucket()
    try:
        yield bucket
    finally:
        bucket.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port over an empty migrated database."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


@asynccontextmanager
async def _printer(db: PostgresDatabase, database_url: str, store: ObjectStore, folder: Path) -> AsyncIterator[None]:
    browser = make_browser(folder)
    await browser.start()  # what a start takes is none of the outage's
    archive = Archivist(db, store, SystemClock())
    try:
        async with printing(db, database_url, browser, store=store, archive=archive):
            yield
    finally:
        await browser.close()


@pytest.mark.parametrize(("kind", "away_s"), [("bucket", BUCKET_AWAY_S), ("folder", FOLDER_AWAY_S)])
async def test_a_store_that_was_away_has_every_card(
    db: PostgresDatabase, database_url: str, tmp_path: Path, kind: str, away_s: float
) -> None:
    """A batch whose store is gone for a while fails no card: within the longest pauses after, all lie in it, once."""
    school = await marked_class(db, students=10, arms=3)
    with _outage(kind, tmp_path / "objects") as outage:
        async with _printer(db, database_url, outage.store, tmp_path / "browser"):
            job = (await asked(db, school)).job.id

            async def states() -> Counter[str]:
                return Counter(item.state.value for item in await items_of(db, school, job))

            async def some_done() -> bool:
                return (await states())["done"] > 0

            await until(some_done, 120)
            outage.begin()
            try:
                await asyncio.sleep(away_s)  # the outage itself, as long as it is said to be
                during = await states()
            finally:
                outage.end()
            began = monotonic()
            told = await ended(db, school, job, BACK_WITHIN_S)
            log.info("%s: all %.1f s after it came back, load %.1f", kind, monotonic() - began, os.getloadavg()[0])
        items = await items_of(db, school, job)
        assert during["done"] < CARDS, "the outage did not come in the middle of the batch"
        assert set(during) <= {"done", "printing", "queued"}
        assert told.job.state is JobState.SUCCEEDED
        assert (told.job.done, told.job.failed, told.job.total) == (CARDS, 0, CARDS)
        assert len({item.object_key for item in items}) == CARDS
        for item in items:
            assert item.object_key
            assert len(await outage.store.get(item.object_key)) == item.bytes
