"""One worker that prints: a browser, and several kinds of work that take turns at it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from core.errors import SchoolOSError
from core.events.looping import Stoppable
from core.telemetry import get_logger

log = get_logger("reports")

PRINTS_CHANNEL = "schoolos_prints"
"""Postgres tells on it that there is something to print or to pack."""


class Signal(Protocol):
    """Wakes the worker when there is something to do."""

    async def wait(self, at_most: timedelta) -> None:
        """Return when woken, at the latest after a while."""


class Desk(Protocol):
    """One kind of work."""

    async def take(self) -> bool:
        """Do one piece of work where there is one, and tell whether there was."""


class InTurn:
    """Several kinds of work as one: the first that has something is done, then it is looked from the first again."""

    def __init__(self, desks: Sequence[Desk]) -> None:
        self._desks = desks

    async def take(self) -> bool:
        """Do one piece of work where there is one, and tell whether there was."""
        for desk in self._desks:
            if await desk.take():
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPolicy:
    """How a worker paces itself."""

    look_every: timedelta = timedelta(seconds=1)
    """How often it looks where it is not woken: work that was put off, or whose worker was lost."""
    upkeep_every: timedelta = timedelta(seconds=15)


class PrintingWorker:
    """Works at its desks side by side until stopped; the browser itself does one thing at a time.

    So a document that somebody waits for is printed between two chunks, or while one is parted, checked and stored.
    """

    def __init__(
        self,
        desks: Sequence[Desk],
        signal: Signal,
        *,
        upkeep: Sequence[Callable[[], Awaitable[object]]] = (),
        policy: WorkerPolicy | None = None,
    ) -> None:
        self._desks = desks
        self._signal = signal
        self._upkeep = upkeep
        self._policy = policy or WorkerPolicy()
        self._loops = Stoppable("printing")
        self._bells = [asyncio.Event() for _ in desks]

    async def run(self) -> None:
        """Work, until stopped."""
        async with asyncio.TaskGroup() as group:
            for desk, bell in zip(self._desks, self._bells, strict=True):
                group.create_task(self._loops.loop(partial(self._turn, desk, bell)))
            group.create_task(self._loops.loop(self._listen))
            group.create_task(self._loops.loop(self._keep_up))

    def stop(self) -> None:
        """Take nothing more; what is under way goes on to its end."""
        self._loops.stop()

    async def _turn(self, desk: Desk, bell: asyncio.Event) -> None:
        bell.clear()
        if not await desk.take():
            await self._loops.unless_stopped(self._rung(bell), None)

    async def _rung(self, bell: asyncio.Event) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), self._policy.look_every.total_seconds())

    async def _listen(self) -> None:
        await self._loops.unless_stopped(self._signal.wait(self._policy.look_every), None)
        for bell in self._bells:
            bell.set()

    async def _keep_up(self) -> None:
        for work in self._upkeep:
            try:
                await work()
            except SchoolOSError as error:
                log.warning("upkeep_failed", error=error.message)
        await self._loops.pause(self._policy.upkeep_every)
