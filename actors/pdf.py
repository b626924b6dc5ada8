"""The printing of report cards as a worker of a supervised pool: one browser a worker, its group killed with it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from core.reports.printing_worker import PrintingWorker

RESOURCE = "pdf"
"""Ray's resource of which each worker takes one: on one machine there are as many as cores."""


class PdfWorker:
    """Prints until it is drained."""

    def __init__(
        self,
        printing: PrintingWorker,
        *,
        prepare: Callable[[], Awaitable[object]],
        give_back: Callable[[], Awaitable[None]],
        figures: Callable[[], Mapping[str, float]],
    ) -> None:
        """``prepare`` is done before the first work is taken, ``give_back`` with what was not finished in time."""
        self._printing = printing
        self._prepare = prepare
        self._give_back = give_back
        self._figures = figures
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make ready and begin to print in the background."""
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self._prepare()
        await self._printing.run()

    async def ping(self) -> Mapping[str, float]:
        """Return how much it printed. Raises what ended it, so that the pool replaces the worker."""
        if self._running is not None and self._running.done():
            self._running.result()
        return self._figures()

    async def drain(self, deadline_s: float) -> None:
        """Finish what is being printed within the deadline, and give back the rest for others to begin anew."""
        self._printing.stop()
        if self._running is None:
            return
        await asyncio.wait({self._running}, timeout=max(0.0, deadline_s - _LEAVING_S))
        if not self._running.done():
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            await self._give_back()


_LEAVING_S = 8.0
"""What is kept of a drain's time for giving back and for ending the browser."""
