"""Ends jobs whose worker died: one that is running and has not been heard of for a while is failed, in words.

Who works on a job reports progress or a heartbeat more often than ``SweepPolicy.dead_after`` (``HEARTBEAT_EVERY`` is
made for that). A job that comes back after it was ended is told to stop, as one that was cancelled is.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from core.clock import Clock
from core.errors import SchoolOSError
from core.jobs import store
from core.ports import Database
from core.telemetry import get_logger

log = get_logger("jobs")

HEARTBEAT_EVERY = timedelta(seconds=15)
"""How often a worker tells that it is alive where its progress does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPolicy:
    """When a running job counts as abandoned."""

    dead_after: timedelta = timedelta(minutes=2)
    """Eight heartbeats: a database that is away for a minute ends no job."""
    every: timedelta = timedelta(seconds=30)


class JobSweeper:
    """Looks over all schools until stopped. Several beside each other do no harm: the first to end a job has."""

    def __init__(self, db: Database, clock: Clock, policy: SweepPolicy | None = None) -> None:
        self._db = db
        self._clock = clock
        self._policy = policy or SweepPolicy()
        self._stopping = asyncio.Event()
        self.ended = 0

    async def run(self) -> None:
        """Look again and again, until stopped."""
        while not self._stopping.is_set():
            try:
                await self.sweep()
            except SchoolOSError as error:
                log.warning("sweep_failed", error=error.message)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._policy.every.total_seconds())

    def stop(self) -> None:
        """Let ``run`` end after the look under way."""
        self._stopping.set()

    async def sweep(self) -> int:
        """End every abandoned job; return how many."""
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            ended = await store.fail_abandoned(tx, before=now - self._policy.dead_after, now=now)
        for job_id, kind in ended:
            log.warning("job_abandoned", job_id=str(job_id), kind=kind)
        self.ended += len(ended)
        return len(ended)
