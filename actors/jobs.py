"""What ends abandoned jobs, as a worker. Two at once do no harm: what one has ended the other does not find."""

import asyncio
from collections.abc import Mapping

from core.jobs.sweeping import JobSweeper


class SweepWorker:
    """Ends jobs whose worker died, until it is drained."""

    def __init__(self, sweeper: JobSweeper) -> None:
        self._sweeper = sweeper
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking in the background."""
        self._running = asyncio.create_task(self._sweeper.run())

    async def ping(self) -> Mapping[str, float]:
        """Return how many jobs were ended so far. Raises what ended it, where it has ended."""
        if self._running is not None and self._running.done():
            self._running.result()
        return {"jobs_abandoned": float(self._sweeper.ended)}

    async def drain(self, deadline_s: float) -> None:
        """Finish the look under way; the next worker goes on."""
        self._sweeper.stop()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=deadline_s)
            self._running.cancel()
