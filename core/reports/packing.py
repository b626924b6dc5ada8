"""The end of a batch: its cards packed into an archive, and its job finished by what came of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from core.clock import Clock
from core.errors import SchoolOSError, Unavailable
from core.ids import JobId, SchoolId
from core.jobs import store as job_store
from core.jobs.model import JobState
from core.ports import Database
from core.reports import batch_store
from core.reports.batch_records import Batch, Claimed, Counts
from core.reports.leases import Hold, Lease, LeaseLost
from core.telemetry import get_logger, span

log = get_logger("reports")


class Archive(Protocol):
    """Packs the cards of a batch into one file."""

    async def pack(self, school: SchoolId, job: JobId, *, beat: Callable[[], Awaitable[bool]]) -> None:
        """Pack what is done, and write down where it lies.

        ``beat`` is asked now and then, and says False where the work is no longer this worker's: nothing is written
        down then. Raises ``Unavailable`` where it may go well later.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingPolicy:
    """How patient packing is."""

    lease: timedelta = timedelta(seconds=15)
    again_after: timedelta = timedelta(seconds=1)
    wait_at_most: timedelta = timedelta(seconds=10)
    most_waits: int = 12
    """The store may be away for about a minute and a half."""
    most_starts: int = 3


class PackingDesk:
    """Takes batches of all schools whose cards are printed, and ends them."""

    def __init__(
        self, db: Database, clock: Clock, archive: Archive, *, worker: str, policy: PackingPolicy | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._archive = archive
        self._worker = worker
        self._policy = policy or PackingPolicy()

    async def take(self) -> bool:
        """Pack the batch that waits longest, and tell whether there was one."""
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            claimed = await batch_store.claim_packing(tx, self._worker, now=now, until=now + self._policy.lease)
        if claimed is None:
            return False
        async with Lease(lambda: self._renew(claimed), self._policy.lease / 4) as lease:
            try:
                await self._end(claimed, lease)
            except LeaseLost:
                log.warning("batch_lost_to_another", job_id=str(claimed.job_id))
        return True

    async def _end(self, claimed: Claimed, lease: Lease) -> None:
        async with self._db.tenant(claimed.school, read_only=True) as tx:
            batch = await batch_store.read(tx, claimed.job_id)
            counts = await batch_store.counts(tx, claimed.job_id)
        problem = None
        if batch is not None and counts.done:
            try:
                problem = await self._pack(claimed, batch, lease)
            except Unavailable as error:
                if await self._put_off(claimed, error):
                    return
                problem = _no_archive("The store for files did not answer for too long.")
        await self._finish(claimed, problem)

    async def _pack(self, claimed: Claimed, batch: Batch, lease: Lease) -> dict[str, str] | None:
        """Pack, and return what went wrong for good; None where nothing did."""
        if claimed.starts > self._policy.most_starts:
            return _no_archive("Whoever packed the archive was lost each time.")

        async def beat() -> bool:
            try:
                lease.check()
            except LeaseLost:
                return False
            return True

        try:
            with span("pack-cards", batch.traceparent, job_id=str(claimed.job_id)):
                await self._archive.pack(claimed.school, claimed.job_id, beat=beat)
        except (LeaseLost, Unavailable):
            raise
        except SchoolOSError as error:
            log.warning("archive_not_packed", job_id=str(claimed.job_id), error=error.message)
            return _no_archive(error.message)
        except Exception:  # the edge: one archive must not stop the others
            log.exception("archive_broke", job_id=str(claimed.job_id))
            return _no_archive("Something broke on our side.")
        lease.check()
        return None

    async def _put_off(self, claimed: Claimed, error: Unavailable) -> bool:
        """Leave the archive for later; False where that was done too often."""
        async with self._db.tenant(claimed.school) as tx:
            waits = await batch_store.waits_of(tx, claimed.job_id)
            if waits >= self._policy.most_waits:
                return False
            wait = min(self._policy.again_after * (1 << min(waits, 10)), self._policy.wait_at_most)
            log.warning("archive_put_off", job_id=str(claimed.job_id), error=error.message)
            await batch_store.put_off_packing(tx, self._worker, claimed.job_id, self._clock.now() + wait)
            return True

    async def _finish(self, claimed: Claimed, problem: dict[str, str] | None) -> None:
        """End the batch and its job; the first end that is written counts."""
        async with self._db.tenant(claimed.school) as tx:
            if not await batch_store.end_packing(tx, self._worker, claimed.job_id):
                raise LeaseLost("the batch is another worker's now")
            now, counts = self._clock.now(), await batch_store.counts(tx, claimed.job_id)
            job = await job_store.mark_progress(
                tx, claimed.job_id, done=counts.over, failed=counts.failed, total=counts.total, now=now
            )
            state = counts.end(cancelled=job is not None and job.cancel_requested)
            if problem is not None and state is JobState.SUCCEEDED:
                state = JobState.COMPLETED_WITH_ERRORS
            if not counts.done and state is not JobState.CANCELLED:
                problem = {"title": "No card was printed", "detail": "The list of cards says why for each student."}
            await job_store.finish(tx, claimed.job_id, state=state, error=problem, result=_told(counts), now=now)
        log.info("batch_ended", job_id=str(claimed.job_id), state=state.value, done=counts.done, failed=counts.failed)

    async def _renew(self, claimed: Claimed) -> Hold:
        async with self._db.dispatch() as tx:
            until = self._clock.now() + self._policy.lease
            held = await batch_store.renew_packing(tx, self._worker, claimed.job_id, until)
        return Hold.HELD if held else Hold.LOST


def _no_archive(why: str) -> dict[str, str]:
    return {"title": "The cards are printed, but not packed into one file", "detail": why}


def _told(counts: Counts) -> dict[str, Any]:
    return {
        "printed": counts.done,
        "failed": counts.failed,
        "withheld": counts.withheld,
        "cancelled": counts.cancelled,
    }
