"""What removes old messages, as a worker. Two at once do no harm: what one has removed the other does not find."""

import asyncio
from collections.abc import Mapping

from core.notifications.retention import Retention


class RetentionWorker:
    """Removes what is too old, until it is drained."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking in the background."""
        self._running = asyncio.create_task(self._retention.run())

    async def ping(self) -> Mapping[str, float]:
        """Return how many messages were stripped and deleted so far. Raises what ended it, where it has ended."""
        if self._running is not None and self._running.done():
            self._running.result()
        return {"messages_stripped": self._retention.stripped, "messages_deleted": self._retention.deleted}

    async def drain(self, deadline_s: float) -> None:
        """Finish the batch under way; the next worker goes on."""
        self._retention.stop()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=deadline_s)
            self._running.cancel()
