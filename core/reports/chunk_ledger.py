"""What is written down about a chunk, each in one transaction that only the holder of its lease can make.

The batch's row is held first in each, so that of two chunks that end at the same moment the second knows that it is
the last; how far the job is, is counted from the cards each time, never added up.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from core.clock import Clock
from core.ids import ReportChunkId, ReportSnapshotId, StudentId, new_id
from core.jobs import store as job_store
from core.ports import Database, Row, Transaction
from core.reports import batch_store, chunk_store
from core.reports.batch_records import ChunkTask, Claimed, Counts, ItemState, PrintedCard
from core.reports.leases import Hold, LeaseLost
from core.telemetry import REPORT_CARDS

CANCELLED = "The job was stopped before this card was printed."


class ChunkLedger:
    """One worker's writing down."""

    def __init__(self, db: Database, clock: Clock, *, worker: str, lease: timedelta) -> None:
        self._db = db
        self._clock = clock
        self._worker = worker
        self._lease = lease

    async def claim(self) -> Claimed | None:
        """Take the chunk whose turn it is."""
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            return await chunk_store.claim(tx, self._worker, now=now, until=now + self._lease)

    async def renew(self, claimed: Claimed) -> Hold:
        """Hold on to a chunk, and tell whether its job still wants it."""
        async with self._db.tenant(claimed.school) as tx:
            now = self._clock.now()
            if not await chunk_store.renew(tx, self._worker, _chunk(claimed), now + self._lease):
                return Hold.LOST
            return Hold.HELD if await job_store.heartbeat(tx, claimed.job_id, now) else Hold.STOP

    async def release(self) -> None:
        """Give back whatever is held."""
        async with self._db.dispatch() as tx:
            await chunk_store.release(tx, self._worker)

    async def begin(self, claimed: Claimed) -> ChunkTask | None:
        """Return what a chunk is about; None where its job is over or cancelled, which ends the chunk."""
        chunk, now = _chunk(claimed), self._clock.now()
        async with self._held(claimed) as (tx, row):
            batch = await batch_store.read(tx, claimed.job_id)
            taken = await chunk_store.take_items(tx, self._worker, chunk, now)
            if batch is None or not await job_store.heartbeat(tx, claimed.job_id, now):
                await self._stop(tx, claimed, [who for who, _ in taken])
                return None
            return ChunkTask(
                id=chunk,
                batch=batch,
                students=tuple(who for who, _ in taken),
                pinned=tuple(snapshot for _, snapshot in taken),
                starts=claimed.starts,
                waits=row["waits"],
            )

    async def pin(
        self,
        claimed: Claimed,
        snapshots: Sequence[tuple[StudentId, ReportSnapshotId, str]],
        failed: Mapping[StudentId, str],
        withheld: Mapping[StudentId, str],
    ) -> None:
        """Fix what is printed for each student, and who gets no card for which reason."""
        chunk, now = _chunk(claimed), self._clock.now()
        async with self._held(claimed) as (tx, _):
            await chunk_store.pin(tx, chunk, snapshots)
            await chunk_store.mark_ended(tx, chunk, ItemState.FAILED, failed, now)
            await chunk_store.mark_ended(tx, chunk, ItemState.WITHHELD, withheld, now)

    async def done(self, claimed: Claimed, printed: Sequence[PrintedCard]) -> Counts:
        """Write down where the cards lie, and end the chunk."""
        async with self._held(claimed) as (tx, _):
            await chunk_store.mark_done(tx, _chunk(claimed), printed, self._clock.now())
            await chunk_store.end(tx, _chunk(claimed))
            counts = await self._count(tx, claimed)
        REPORT_CARDS.labels("done").inc(len(printed))
        return counts

    async def failed(self, claimed: Claimed, students: Sequence[StudentId], reason: str) -> None:
        """Give the cards up for a reason, and end the chunk."""
        async with self._held(claimed) as (tx, _):
            reasons = dict.fromkeys(students, reason)
            await chunk_store.mark_ended(tx, _chunk(claimed), ItemState.FAILED, reasons, self._clock.now())
            await chunk_store.end(tx, _chunk(claimed), reason)
            await self._count(tx, claimed)
        REPORT_CARDS.labels("failed").inc(len(students))

    async def stopped(self, claimed: Claimed) -> None:
        """End a chunk that nobody wants any more, and all that waits of its job."""
        async with self._held(claimed) as (tx, _):
            taken = await chunk_store.take_items(tx, self._worker, _chunk(claimed), self._clock.now())
            await self._stop(tx, claimed, [who for who, _ in taken])

    async def again(self, claimed: Claimed, after: timedelta, error: str, *, waited: bool) -> None:
        """Put a chunk back for another attempt; one that only waited for the store has not used up a start."""
        async with self._held(claimed) as (tx, row):
            await chunk_store.put_off(
                tx,
                _chunk(claimed),
                not_before=self._clock.now() + after,
                error=error,
                waits=row["waits"] + 1 if waited else 0,
                starts=row["starts"] - 1 if waited else row["starts"],
            )

    async def part(self, claimed: Claimed, students: Sequence[StudentId], error: str) -> None:
        """Put a chunk back as two of half its cards each, so that what is wrong with one is found."""
        half = (len(students) + 1) // 2
        halves = [(ReportChunkId(new_id()), part) for part in (students[:half], students[half:])]
        async with self._held(claimed) as (tx, row):
            new = [(chunk, len(part), row["turn"]) for chunk, part in halves]
            await chunk_store.add(tx, claimed.job_id, new, self._clock.now())
            to = {who: chunk for chunk, part in halves for who in part}
            await chunk_store.move_items(tx, _chunk(claimed), to)
            await chunk_store.end(tx, _chunk(claimed), error)

    @asynccontextmanager
    async def _held(self, claimed: Claimed) -> AsyncIterator[tuple[Transaction, Row]]:
        """Open a transaction over a chunk that is this worker's. Raises ``LeaseLost``."""
        async with self._db.tenant(claimed.school) as tx:
            await batch_store.read(tx, claimed.job_id, lock=True)
            row = await chunk_store.lock(tx, self._worker, _chunk(claimed))
            if row is None:
                raise LeaseLost("the chunk is another worker's now")
            yield tx, row

    async def _stop(self, tx: Transaction, claimed: Claimed, students: Sequence[StudentId]) -> None:
        now = self._clock.now()
        reasons = dict.fromkeys(students, CANCELLED)
        await chunk_store.mark_ended(tx, _chunk(claimed), ItemState.CANCELLED, reasons, now)
        await chunk_store.end(tx, _chunk(claimed))
        await batch_store.stop(tx, claimed.job_id, CANCELLED, now)
        await self._count(tx, claimed)

    async def _count(self, tx: Transaction, claimed: Claimed) -> Counts:
        counts = await batch_store.counts(tx, claimed.job_id)
        await job_store.mark_progress(
            tx, claimed.job_id, done=counts.over, failed=counts.failed, total=counts.total, now=self._clock.now()
        )
        await batch_store.pack_if_printed(tx, claimed.job_id)
        return counts


def _chunk(claimed: Claimed) -> ReportChunkId:
    assert claimed.chunk_id is not None  # noqa: S101 - what was claimed here is a chunk
    return claimed.chunk_id
