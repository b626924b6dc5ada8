"""Several workers in one process, where each alone would leave most of its memory idle."""

import asyncio
from collections.abc import Mapping, Sequence

from actors.pool_spec import Worker


class Together:
    """One worker made of several. Where one of them is past saving, the process is: the pool replaces it."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    async def start(self) -> None:
        """Start each."""
        for worker in self._workers:
            await worker.start()

    async def ping(self) -> Mapping[str, float]:
        """Return the figures of all. Raises what one of them raises."""
        figures: dict[str, float] = {}
        for worker in self._workers:
            figures |= await worker.ping()
        return figures

    async def drain(self, deadline_s: float) -> None:
        """Let all finish at once."""
        await asyncio.gather(*(worker.drain(deadline_s) for worker in self._workers))
