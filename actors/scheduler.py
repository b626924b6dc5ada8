"""The scheduler as a worker of a supervised pool. Two at once do no harm: the database says who sends what."""

import asyncio
from collections.abc import Mapping

from core.school.fees.reminding import FeeReminders


class SchedulerWorker:
    """Runs what is to happen at an hour of a school's day, until it is drained."""

    def __init__(self, reminders: FeeReminders) -> None:
        self._reminders = reminders
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking in the background."""
        self._running = asyncio.create_task(self._reminders.run())

    async def ping(self) -> Mapping[str, float]:
        """Return how many reminders were sent so far. Raises what ended it, where it has ended."""
        if self._running is not None and self._running.done():
            self._running.result()
        return {"reminders_sent": float(self._reminders.sent)}

    async def drain(self, deadline_s: float) -> None:
        """Finish the school under way; one that is cut off is done by the next scheduler."""
        self._reminders.stop()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=deadline_s)
            self._running.cancel()
