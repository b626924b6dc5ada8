"""Work that is a worker's own for a while: held on to while it goes on, and known to be lost when it is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto
from types import TracebackType
from typing import Self

from core.errors import SchoolOSError
from core.telemetry import get_logger

log = get_logger("reports")


class Hold(Enum):
    """How a piece of work stands with its worker."""

    HELD = auto()
    STOP = auto()
    """It is still the worker's, and nobody wants it any more."""
    LOST = auto()
    """It is another's, or over."""


class LeaseLost(SchoolOSError):
    """The work is no longer this worker's: nothing of it may be written down."""


class StopAsked(SchoolOSError):
    """Nobody wants the work any more."""


class Lease:
    """Renews itself in the background while its block runs."""

    def __init__(self, renew: Callable[[], Awaitable[Hold]], every: timedelta) -> None:
        self._renew = renew
        self._every_s = every.total_seconds()
        self._hold = Hold.HELD
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to hold on."""
        self._renewing = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hold on no longer."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def check(self) -> None:
        """Raise ``LeaseLost`` or ``StopAsked`` where the work should not go on; asked between its steps."""
        if self._hold is Hold.LOST:
            raise LeaseLost("the work is another worker's now")
        if self._hold is Hold.STOP:
            raise StopAsked("the work was cancelled")

    async def _keep(self) -> None:
        while self._hold is Hold.HELD:
            await asyncio.sleep(self._every_s)
            try:
                self._hold = await self._renew()
            except SchoolOSError as error:  # who writes the work down learns whether it is still theirs
                log.warning("lease_not_renewed", error=error.message)
