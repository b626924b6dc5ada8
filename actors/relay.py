"""The outbox relay as a worker of a supervised pool. Two at once share the work, so none need ever be waited for."""

import asyncio
from collections.abc import Mapping

from actors.pool_spec import PoolSpec
from core.events.relay import Relay

RELAY_POOL = PoolSpec(name="outbox-relay", minimum=1, maximum=1, drain_s=10.0)


class RelayWorker:
    """Runs a relay until it is drained."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start relaying in the background."""
        self._running = asyncio.create_task(self._relay.run())

    async def ping(self) -> Mapping[str, float]:
        """Return how many events it relayed so far. Raises what ended it, where it has ended."""
        if self._running is not None and self._running.done():
            self._running.result()
        return {"relayed": float(self._relay.relayed)}

    async def drain(self, deadline_s: float) -> None:
        """Finish the batch under way; one that is cut off is sent again by the next relay."""
        self._relay.stop()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=deadline_s)
            self._running.cancel()
