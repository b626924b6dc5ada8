"""Prints the documents that somebody waits for, one after another."""

from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from core.ports import Database
from core.reports import print_store as store
from core.reports.leases import Hold, Lease, LeaseLost
from core.reports.ports import PageRenderer, RenderFailed
from core.reports.print_store import ClaimedPrint, NewPrint
from core.telemetry import PRINT_DURATION, get_logger, span

log = get_logger("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPolicy:
    """How long a document may take."""

    lease: timedelta = timedelta(seconds=6)
    """A worker that dies leaves its document to the next in time for who waits ten seconds."""
    deadline_s: float = 8.0
    most_starts: int = 2


class PrintingDesk:
    """Takes documents of all schools and prints them."""

    def __init__(
        self, db: Database, clock: Clock, renderer: PageRenderer, *, worker: str, policy: DeskPolicy | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._renderer = renderer
        self._worker = worker
        self._policy = policy or DeskPolicy()
        self.printed = 0

    async def take(self) -> bool:
        """Print the document that waits longest, and tell whether there was one."""
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            claimed = await store.claim(tx, self._worker, now=now, until=now + self._policy.lease)
        if claimed is None:
            return False
        async with self._db.tenant(claimed.school, read_only=True) as tx:
            wanted = await store.read(tx, claimed.id)
        if wanted is not None:
            await self._print(claimed, wanted)
        return True

    async def sweep(self) -> int:
        """Remove what nobody has come for; return how many."""
        async with self._db.dispatch() as tx:
            return await store.sweep(tx, self._clock.now())

    async def _print(self, claimed: ClaimedPrint, wanted: NewPrint) -> None:
        pdf, reason = None, ""
        async with Lease(lambda: self._renew(claimed), self._policy.lease / 4) as lease:
            try:
                with (
                    span("print-page", wanted.traceparent, print_id=str(claimed.id)),
                    PRINT_DURATION.labels("page").time(),
                ):
                    pdf = await self._renderer.render(
                        wanted.html,
                        tagged=wanted.tagged,
                        landscape=wanted.landscape,
                        deadline_s=self._policy.deadline_s,
                    )
                lease.check()
            except LeaseLost:
                return
            except RenderFailed as error:
                if error.retryable and claimed.starts < self._policy.most_starts:
                    await self._give_back(claimed)
                    return
                reason = error.message
        async with self._db.tenant(claimed.school) as tx:
            await store.end(tx, self._worker, claimed.id, pdf=pdf, reason=reason)
        self.printed += pdf is not None

    async def _renew(self, claimed: ClaimedPrint) -> Hold:
        async with self._db.dispatch() as tx:
            until = self._clock.now() + self._policy.lease
            return Hold.HELD if await store.renew(tx, self._worker, claimed.id, until) else Hold.LOST

    async def _give_back(self, claimed: ClaimedPrint) -> None:
        async with self._db.dispatch() as tx:
            await store.give_back(tx, self._worker, claimed.id)
