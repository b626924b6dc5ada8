"""Asking for a batch of report cards, looking how it stands, asking again for what failed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, NotFound, TooMany
from core.ids import ClassArmId, JobId, ReportChunkId, SessionId, StudentId, TermId, new_id
from core.jobs import store as job_store
from core.ports import Database, Transaction
from core.reports import batch_store, chunk_store, preflight_store, record_store
from core.reports.batch_records import (
    JOB_KIND,
    Batch,
    BatchJob,
    Item,
    ItemState,
    Naming,
    NewItem,
    chunk_sizes,
)
from core.reports.chunk_ledger import CANCELLED
from core.reports.preflight import Checked, Severity, look_over
from core.telemetry import current_traceparent, get_logger, span

log = get_logger("reports")

_TURN = timedelta(seconds=1)
"""About what a chunk takes: chunks of a batch are that far apart in the line of all schools' chunks."""
_MOST_LACKS_TOLD = 200
_MOST_OPEN = 20
"""Batches of one school at a time: one for each class, and more than a mistake of a portal should start."""
_COME_BACK_S = 30.0


class OnBlocked(StrEnum):
    """What becomes of cards that the pre-flight blocks."""

    REFUSE = "refuse"
    """Nothing is printed, and the answer lists them."""
    SKIP = "skip"
    """The others are printed."""
    PRINT = "print"
    """They are printed all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for."""

    session_id: SessionId
    term_id: TermId
    student_ids: Sequence[StudentId] | None
    """None: everyone of the class, or of the school."""
    class_arm_id: ClassArmId | None = None
    naming: Naming = Naming.ID
    on_blocked: OnBlocked = OnBlocked.REFUSE


class Batches:
    """Batches of report cards, for those who manage them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def generate(self, principal: Principal, wanted: Wanted) -> BatchJob:
        """Ask for cards to be printed, by class and name; they are finalised while they are.

        Raises ``NotFound`` for a term or student that is not there, and ``Conflict`` where cards are blocked.
        """
        principal.require(Scope.REPORTS_MANAGE)
        job = JobId(new_id())
        with span("generate-batch", job_id=str(job)):
            async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
                items = await self._looked_over(tx, wanted)
                batch = Batch(
                    job_id=job,
                    session_id=wanted.session_id,
                    term_id=wanted.term_id,
                    naming=wanted.naming,
                    force=wanted.on_blocked is OnBlocked.PRINT,
                    retry_of=None,
                    traceparent=current_traceparent(),
                    created_by=principal.user_id,
                )
                return await self._begin(tx, principal, batch, items)

    async def retry(self, principal: Principal, *, job: JobId) -> BatchJob:
        """Ask again for the cards that a finished batch did not print; what it printed is taken over.

        Raises ``Conflict`` where the batch is under way or lacks nothing.
        """
        principal.require(Scope.REPORTS_MANAGE)
        again = JobId(new_id())
        with span("retry-batch", job_id=str(again)):
            async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
                before = await self._read(tx, job)
                if not before.job.is_finished:
                    raise Conflict("the job is still under way; stop it or wait for its end")
                if before.counts.done == before.counts.total:
                    raise Conflict("every card of the job is printed")
                kept = await batch_store.items(tx, job)
                items = [
                    NewItem(item.student_id, item.class_arm_id, item if item.state is ItemState.DONE else None)
                    for item in kept
                ]
                batch = replace(
                    before.batch,
                    job_id=again,
                    retry_of=job,
                    traceparent=current_traceparent(),
                    created_by=principal.user_id,
                )
                return await self._begin(tx, principal, batch, items)

    async def get(self, principal: Principal, *, job: JobId) -> BatchJob:
        """Return how a batch stands. Raises ``NotFound``."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await self._read(tx, job)

    async def items(
        self, principal: Principal, *, job: JobId, state: ItemState | None, after: int | None, limit: int
    ) -> list[Item]:
        """Return what came of each card, in the order of class and name. Raises ``NotFound``."""
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            await self._read(tx, job)
            return await batch_store.items(tx, job, state=state, after=after, limit=limit)

    async def cancel(self, principal: Principal, *, job: JobId) -> BatchJob:
        """Stop a batch: what waits at once, what is being printed at its next step; what is printed stays.

        Raises ``Conflict`` where it is finished.
        """
        principal.require(Scope.REPORTS_MANAGE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await self._read(tx, job)
            now = self._clock.now()
            await batch_store.read(tx, job, lock=True)
            if await job_store.request_cancel(tx, job, now) is None:
                raise Conflict("the job is finished")
            await batch_store.stop(tx, job, CANCELLED, now)
            await batch_store.pack_if_printed(tx, job)
            return await self._read(tx, job)

    async def _looked_over(self, tx: Transaction, wanted: Wanted) -> list[NewItem]:
        head = await record_store.head_of(tx, wanted.term_id)
        if head is None or head.session_id != wanted.session_id:
            raise NotFound("there is no such term in this session")
        checked = await look_over(tx, wanted.term_id, student_ids=wanted.student_ids, class_arm_id=wanted.class_arm_id)
        if wanted.on_blocked is OnBlocked.REFUSE and checked.blocked:
            raise _blocked(checked)
        students = await preflight_store.students(
            tx, wanted.term_id, student_ids=wanted.student_ids, class_arm_id=wanted.class_arm_id
        )
        if not students:
            raise NotFound("there is nobody in this class")
        return [NewItem(student.id, student.class_arm_id) for student in students]

    async def _begin(self, tx: Transaction, principal: Principal, batch: Batch, items: Sequence[NewItem]) -> BatchJob:
        if await batch_store.open_batches(tx) >= _MOST_OPEN:
            raise TooMany(f"{_MOST_OPEN} batches of the school are under way; wait for one to end", _COME_BACK_S)
        now = self._clock.now()
        await job_store.insert(
            tx,
            principal.school,
            batch.job_id,
            JOB_KIND,
            total=len(items),
            detail={},
            created_by=principal.user_id,
            now=now,
        )
        await batch_store.add(tx, batch, now)
        chunks, chunk_of = _chunks([item for item in items if item.kept is None], now)
        await chunk_store.add(tx, batch.job_id, chunks, now)
        await batch_store.add_items(tx, batch.job_id, items, chunk_of, now)
        log.info("batch_asked_for", job_id=str(batch.job_id), cards=len(items), chunks=len(chunks))
        return await self._read(tx, batch.job_id)

    async def _read(self, tx: Transaction, job: JobId) -> BatchJob:
        batch = await batch_store.read(tx, job)
        found = await job_store.read(tx, job)
        if batch is None or found is None:
            raise NotFound("there is no such batch of report cards")
        return BatchJob(found, batch, await batch_store.counts(tx, job))


def _chunks(
    items: Sequence[NewItem], now: datetime
) -> tuple[list[tuple[ReportChunkId, int, datetime]], dict[StudentId, ReportChunkId]]:
    """Return chunks, and in which each student's card is. A class is read for each, so it stays together if it can."""
    chunks: list[tuple[ReportChunkId, int, datetime]] = []
    chunk_of: dict[StudentId, ReportChunkId] = {}
    left = [item.student_id for item in items]
    for size in chunk_sizes([len(list(group)) for _, group in groupby(items, key=lambda item: item.class_arm_id)]):
        chunk = ReportChunkId(new_id())
        chunks.append((chunk, size, now + len(chunks) * _TURN))
        chunk_of |= dict.fromkeys(left[:size], chunk)
        left = left[size:]
    return chunks, chunk_of


def _blocked(checked: Checked) -> Conflict:
    lacks = [lack for lack in checked.lacks if lack.severity is Severity.BLOCK]
    faults = [
        Fault(lack.where, f"{lack.student_name} ({lack.class_arm_name}): {lack.sentence}", lack.what.value)
        for lack in lacks[:_MOST_LACKS_TOLD]
    ]
    students = len(checked.blocked)
    verb = "card lacks" if students == 1 else "cards lack"
    return Conflict(f"{students} {verb} what the school's policy asks for; print the others, or all the same", faults)
