"""What a batch is packed into: every card once, a list of all, in pieces, whatever the store does."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import NotFound, Unavailable
from core.ids import JobId, new_id
from core.reports.archive import Archivist
from core.reports.naming import archive_key, safe
from core.reports.zipping import zipped
from tests.factories.printed_batches import PrintedBatch, marked, printed_batch
from tests.factories.school import MadeSchool, make_school


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two classes, all marked."""
    made = await make_school(db, arms=2, students=3)
    await marked(db, made)
    return made


@pytest.fixture
def objects(tmp_path: Path) -> "FailingStore":
    """A store in a folder that fails where it is told to."""
    return FailingStore(tmp_path, links_url="http://x", clock=FakeClock())


class FailingStore(LocalObjectStore):
    """A store that is away after so many reads."""

    reads_left = 1_000_000

    async def get(self, key: str) -> bytes:
        """Return a file. Raises ``Unavailable`` once the store is away."""
        self.reads_left -= 1
        if self.reads_left < 0:
            raise Unavailable("the object store does not answer")
        return await super().get(key)


async def mine() -> bool:
    """Go on."""
    return True


async def packed(db: PostgresDatabase, objects: LocalObjectStore, school: MadeSchool, batch: PrintedBatch) -> Any:
    """Pack a batch, and return its archive's files with the list taken out."""
    await Archivist(db, objects, FakeClock()).pack(school.id, batch.job, beat=mine)
    content = await objects.get(archive_key(school.id, batch.job))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, json.loads(files.pop("manifest.json")), content


async def row_of(db: PostgresDatabase, school: MadeSchool, job: JobId) -> Any:
    """Return a batch as it is kept."""
    async with db.tenant(school.id) as tx:
        return await tx.fetchrow("SELECT * FROM report_batches WHERE job_id = $1", job)


async def test_an_archive_holds_every_printed_card(
    db: PostgresDatabase, objects: FailingStore, school: MadeSchool
) -> None:
    """Each card is there under its student's id, byte for byte; the batch knows size, sum and when it expires."""
    batch = await printed_batch(db, objects, school, FakeClock())
    files, _, content = await packed(db, objects, school, batch)
    assert files == {f"{student}-report-card.pdf": pdf for student, pdf in batch.printed.items()}
    row = await row_of(db, school, batch.job)
    assert row["archive_key"] == archive_key(school.id, batch.job)
    assert (row["archive_bytes"], row["archive_sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert row["expires_at"] - row["packed_at"] == timedelta(days=30)


async def test_the_list_tells_what_became_of_each(
    db: PostgresDatabase, objects: FailingStore, school: MadeSchool
) -> None:
    """Every student asked for stands in the list with state and reason; files can be checked against their sums."""
    failed, withheld, *others = school.students
    unprinted = {failed: ("failed", "the photo is damaged"), withheld: ("withheld", "Fees are unpaid.")}
    batch = await printed_batch(db, objects, school, FakeClock(), unprinted=unprinted, naming="name")
    files, listing, _ = await packed(db, objects, school, batch)
    told = {each["studentId"]: each for each in listing["cards"]}
    assert len(told) == len(school.students)
    assert (told[str(failed)]["state"], told[str(failed)]["reason"]) == unprinted[failed]
    assert (told[str(withheld)]["state"], told[str(withheld)]["reason"]) == unprinted[withheld]
    for student in others:
        entry = told[str(student)]
        assert hashlib.sha256(files[entry["file"]]).hexdigest() == entry["sha256"]
        assert entry["file"].startswith(safe(entry["studentNo"]) + "_")
        assert entry["file"].endswith(f"_{safe(entry['class'])}.pdf")
    assert len(files) == len(others)


async def test_a_lost_or_damaged_file_costs_only_itself(
    db: PostgresDatabase, objects: FailingStore, school: MadeSchool
) -> None:
    """What is gone or is not what was printed is left out, told in the list, and counts as failed."""
    batch = await printed_batch(db, objects, school, FakeClock())
    lost, damaged, *_ = school.students
    await objects.delete(batch.keys[lost])
    await objects.put(batch.keys[damaged], b"%PDF-other", "application/pdf")
    files, listing, _ = await packed(db, objects, school, batch)
    assert len(files) == len(school.students) - 2
    states = {each["studentId"]: each["state"] for each in listing["cards"]}
    assert (states[str(lost)], states[str(damaged)]) == ("failed", "failed")
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch(
            "SELECT student_id, reason FROM report_batch_items WHERE job_id = $1 AND state = 'failed'", batch.job
        )
    assert {row["student_id"]: "not there" in row["reason"] for row in rows} == {lost: True, damaged: False}


async def test_a_store_that_is_away_leaves_nothing_half_done(
    db: PostgresDatabase, objects: FailingStore, school: MadeSchool
) -> None:
    """Packing says so and keeps nothing; when the store is back it is simply done again."""
    batch = await printed_batch(db, objects, school, FakeClock())
    objects.reads_left = 3
    with pytest.raises(Unavailable):
        await Archivist(db, objects, FakeClock()).pack(school.id, batch.job, beat=mine)
    assert (await row_of(db, school, batch.job))["archive_key"] is None
    objects.reads_left = 1_000
    with pytest.raises(NotFound):
        await objects.get(archive_key(school.id, batch.job))
    files, _, _ = await packed(db, objects, school, batch)
    assert len(files) == len(school.students)


async def test_who_has_lost_the_batch_writes_nothing(
    db: PostgresDatabase, objects: FailingStore, school: MadeSchool
) -> None:
    """Where another has taken the batch over, the archive under way is given up."""

    async def anothers() -> bool:
        return False

    batch = await printed_batch(db, objects, school, FakeClock())
    await Archivist(db, objects, FakeClock()).pack(school.id, batch.job, beat=anothers)
    assert (await row_of(db, school, batch.job))["archive_key"] is None
    with pytest.raises(NotFound):
        await objects.get(archive_key(school.id, batch.job))


async def test_no_card_is_no_archive(db: PostgresDatabase, objects: FailingStore, school: MadeSchool) -> None:
    """Where nothing was printed nothing is packed; a batch of nobody is not found."""
    unprinted = dict.fromkeys(school.students, ("failed", "the browser failed"))
    batch = await printed_batch(db, objects, school, FakeClock(), unprinted=unprinted)
    await Archivist(db, objects, FakeClock()).pack(school.id, batch.job, beat=mine)
    assert (await row_of(db, school, batch.job))["archive_key"] is None
    with pytest.raises(NotFound):
        await Archivist(db, objects, FakeClock()).pack(school.id, JobId(new_id()), beat=mine)


async def test_an_archive_takes_no_more_memory_with_more_cards() -> None:
    """2,000 cards of 100 kB pass through in a few MiB, and any reader takes the archive."""
    card = bytes(100_000)

    async def cards(count: int) -> AsyncIterator[tuple[str, bytes]]:
        for number in range(count):
            yield f"{number}-Ọlá.pdf", card

    at = datetime(2027, 12, 17, 15, tzinfo=UTC)
    small = b"".join([piece async for piece in zipped(cards(30), at)])
    with zipfile.ZipFile(io.BytesIO(small)) as archive:
        assert archive.testzip() is None
        assert all(not entry.flag_bits & 0x08 for entry in archive.infolist())  # sizes stand before each file
    tracemalloc.start()
    try:
        total = sum([len(piece) async for piece in zipped(cards(2_000), at)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 200_000_000
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("KCL/S/25/0001", "KCL-S-25-0001"),
        ("../../etc/passwd", "etc-passwd"),
        ("Ọláyínká  Adé", "Ọláyínká-Adé"),
        ("\u202egpj.exe\x00", "gpj.exe"),
        ("...", "x"),
    ],
)
def test_names_of_files_are_safe(text: str, name: str) -> None:
    """Nothing that a system reads as something else stands in a file's name; letters keep their marks."""
    assert safe(text) == name
