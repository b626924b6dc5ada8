"""The life of one worker inside its process: opened, started, pinged, drained, closed. It knows no Ray."""

import asyncio
import os
from contextlib import suppress

from actors.pool_spec import Pong, Worker, WorkerFactory
from core.errors import Unavailable
from core.telemetry import get_logger

_log = get_logger("pool")


class HostedWorker:
    """Runs what a factory opens until it is drained."""

    def __init__(self, name: str, factory: WorkerFactory, node: str) -> None:
        self._name = name
        self._factory = factory
        self._node = node
        self._worker: Worker | None = None
        self._drained = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Open and start the worker in the background; the loop must be running."""
        self._life = asyncio.get_running_loop().create_task(self._live(), name=self._name)

    async def ping(self) -> Pong:
        """Return how the worker is. Raises what ended its life, where it has ended, also by a drain."""
        if self._life is not None and self._life.done():
            self._life.result()
            raise Unavailable(f"{self._name} has been drained")  # a supervisor that comes back must not keep it
        if self._worker is None:
            return Pong(ready=False, pid=os.getpid(), node=self._node)
        return Pong(ready=True, pid=os.getpid(), node=self._node, figures=dict(await self._worker.ping()))

    async def drain(self, deadline_s: float) -> None:
        """Drain the worker and close what it opened, at the deadline at the latest."""
        if self._life is None:
            return
        try:
            async with asyncio.timeout(deadline_s):
                if self._worker is not None:
                    await self._worker.drain(deadline_s)
                self._drained.set()
                await self._life
        except TimeoutError:
            _log.warning("worker_drain_cut_short", worker=self._name)
            await self._cut()

    async def _cut(self) -> None:
        assert self._life is not None  # noqa: S101 - drain began with one
        self._life.cancel()
        with suppress(asyncio.CancelledError):
            await self._life

    async def _live(self) -> None:
        async with self._factory(self._name) as worker:
            await worker.start()
            self._worker = worker
            _log.info("worker_started", worker=self._name, pid=os.getpid())
            await self._drained.wait()
        _log.info("worker_stopped", worker=self._name, pid=os.getpid())
