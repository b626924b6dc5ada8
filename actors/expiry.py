"""What removes printed files whose time has run out, as a worker. Two at once do no harm."""

import asyncio
from collections.abc import Mapping

from core.reports.expiry import Expiry


class ExpiryWorker:
    """Removes what has expired, until it is drained."""

    def __init__(self, expiry: Expiry) -> None:
        self._expiry = expiry
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking in the background."""
        self._running = asyncio.create_task(self._expiry.run())

    async def ping(self) -> Mapping[str, float]:
        """Return how many files were removed so far. Raises what ended it, where it has ended."""
        if self._running is not None and self._running.done():
            self._running.result()
        return {"expired_files_removed": float(self._expiry.removed)}

    async def drain(self, deadline_s: float) -> None:
        """Finish the look under way; the next worker goes on."""
        self._expiry.stop()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=deadline_s)
            self._running.cancel()
