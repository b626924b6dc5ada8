"""Use cases over jobs: those who do the work report here, those who asked for it look and cancel."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.clock import Clock
from core.errors import Conflict, NotFound, NotPermitted
from core.ids import JobId, SchoolId, new_id
from core.jobs import store
from core.jobs.model import Asker, Job, JobState
from core.ports import Database

LOOK_EVERY = timedelta(seconds=0.5)
"""How often a watched job is read: faster than a person notices, one small query."""


class Jobs:
    """The school's long work."""

    def __init__(self, db: Database, clock: Clock, look_every: timedelta = LOOK_EVERY) -> None:
        self._db = db
        self._clock = clock
        self._look_every_s = look_every.total_seconds()

    async def create(
        self, asker: Asker, *, kind: str, total: int | None = None, detail: Mapping[str, Any] | None = None
    ) -> Job:
        """Add a queued job of the caller. Who creates it has checked what the caller may do."""
        async with self._db.tenant(asker.school, actor=asker.user_id) as tx:
            return await store.insert(
                tx,
                asker.school,
                JobId(new_id()),
                kind,
                total=total,
                detail=detail or {},
                created_by=asker.user_id,
                now=self._clock.now(),
            )

    async def progress(
        self, school: SchoolId, job: JobId, *, done: int = 0, failed: int = 0, total: int | None = None
    ) -> bool:
        """Report how far the work is; counts never fall. Return False where it should stop."""
        async with self._db.tenant(school) as tx:
            now = self._clock.now()
            running = await store.mark_progress(tx, job, done=done, failed=failed, total=total, now=now)
        return running is not None and not running.cancel_requested

    async def heartbeat(self, school: SchoolId, job: JobId) -> bool:
        """Tell that the work goes on where nothing new is done; return False where it should stop.

        A running job that is not heard of for ``core.jobs.sweeping.SweepPolicy.dead_after`` is ended as failed.
        """
        async with self._db.tenant(school) as tx:
            return await store.heartbeat(tx, job, self._clock.now())

    async def finish(
        self,
        school: SchoolId,
        job: JobId,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Report the end of the work; the first report counts. ``error`` looks like a problem: title and detail."""
        async with self._db.tenant(school) as tx:
            await store.finish(tx, job, state=state, error=error, result=result, now=self._clock.now())

    async def get(self, asker: Asker, *, job: JobId) -> Job:
        """Return a job: one's own, or any of the school's where the asker sees all."""
        async with self._db.tenant(asker.school, read_only=True) as tx:
            found = await store.read(tx, job)
        if found is None or not (found.created_by == asker.user_id or asker.sees_all):
            raise NotFound("there is no such job")
        return found

    async def list_page(
        self,
        asker: Asker,
        *,
        kind: str | None,
        state: JobState | None,
        after: tuple[datetime, JobId] | None,
        limit: int,
    ) -> Sequence[Job]:
        """Return jobs, the newest first: the school's where the asker sees all, else one's own."""
        whose = None if asker.sees_all else asker.user_id
        async with self._db.tenant(asker.school, read_only=True) as tx:
            return await store.list_page(tx, created_by=whose, kind=kind, state=state, after=after, limit=limit)

    async def request_cancel(self, asker: Asker, *, job: JobId) -> Job:
        """Ask a job to stop: one's own, or any where the asker may. Raises ``Conflict`` where it is finished."""
        found = await self.get(asker, job=job)
        if found.created_by != asker.user_id and not asker.cancels_all:
            raise NotPermitted("a job is cancelled by who started it or by the school's administrator")
        async with self._db.tenant(asker.school, actor=asker.user_id) as tx:
            cancelled = await store.request_cancel(tx, job, self._clock.now())
        if cancelled is None:
            raise Conflict("the job is finished")
        return cancelled

    async def watch(self, asker: Asker, *, job: JobId) -> AsyncIterator[Job]:
        """Yield the job now and after each change, until it is finished."""
        shown: Job | None = None
        while shown is None or not shown.is_finished:
            found = await self.get(asker, job=job)
            if found != shown:
                yield found
                shown = found
            else:
                await asyncio.sleep(self._look_every_s)
