"""Loops that go on until they are stopped, whatever their dependencies do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from core.errors import SchoolOSError
from core.telemetry import get_logger

_log = get_logger("events")

_FIRST_PAUSE = timedelta(milliseconds=100)
_LONGEST_PAUSE = timedelta(seconds=5)

T = TypeVar("T")


class Stoppable:
    """What loops of one owner share: that they stop together, at once where they only wait."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let every loop end after its present step."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Tell whether it was asked to stop."""
        return self._stopping.is_set()

    async def loop(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step until stopped; an error of ours is logged and the step tried again after 0.1 ... 5 s."""
        pause = _FIRST_PAUSE
        while not self.stopped:
            try:
                await step()
                pause = _FIRST_PAUSE
            except SchoolOSError as error:
                _log.warning("loop_interrupted", loop=self._name, error=error.message)
                await self.pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def pause(self, span: timedelta) -> None:
        """Wait, but not once stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), span.total_seconds())

    async def unless_stopped(self, work: Awaitable[T], otherwise: T) -> T:
        """Return what comes of some waiting, or something else where it is cut off by the stop."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else otherwise
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
