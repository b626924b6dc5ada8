"""One document printed while somebody waits: put into the queue, printed by whichever worker is free, handed back."""

import asyncio
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import Fault, InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import PrintId, SchoolId, new_id
from core.ports import Database
from core.reports import print_store as store
from core.reports.print_store import NewPrint, Outcome
from core.telemetry import PRINT_DURATION, current_traceparent, get_logger, span

log = get_logger("reports")

PRINTED_CHANNEL = "schoolos_printed"
"""Postgres tells on it which document has been printed."""
LARGEST_HTML_BYTES = 8_000_000
_COME_BACK_S = 5.0


class Printed(Protocol):
    """Tells which document has been printed."""

    async def listen(self) -> None:
        """Begin to listen, where that has not begun or was lost."""

    def expecting(self, name: str) -> AbstractContextManager[asyncio.Event]:
        """Give the event that is set when a document's id is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """How far the queue goes for those who wait."""

    most_waiting: int = 20
    """Documents of one school that wait at a time: what a worker prints in about three seconds."""
    look_every: timedelta = timedelta(seconds=0.5)
    """How often one looks where nothing is heard."""
    keep: timedelta = timedelta(minutes=5)
    """What nobody has come for by then is swept."""


class PrintQueue:
    """Prints documents through the workers."""

    def __init__(self, db: Database, clock: Clock, printed: Printed, policy: QueuePolicy | None = None) -> None:
        self._db = db
        self._clock = clock
        self._printed = printed
        self._policy = policy or QueuePolicy()

    async def print(
        self, school: SchoolId, html: str, *, landscape: bool = False, tagged: bool = False, within_s: float = 10.0
    ) -> bytes:
        """Return a document as PDF.

        Raises:
            Unavailable: no worker printed it in time.
            TooMany: too many documents of the school wait already.
            InvalidInput: the document is too large, or can't be printed.
        """
        if len(html.encode()) > LARGEST_HTML_BYTES:
            raise _unprintable("the document is too large to be printed")
        wanted = PrintId(new_id())
        began = asyncio.get_running_loop().time()
        with span("print-document", print_id=str(wanted)), self._printed.expecting(str(wanted)) as heard:
            await self._printed.listen()
            new = NewPrint(html=html, landscape=landscape, tagged=tagged, traceparent=current_traceparent())
            await self._add(school, wanted, new)
            try:
                found = await self._wait(school, wanted, heard, began + within_s)
            except BaseException:
                await asyncio.shield(self._remove(school, wanted))
                raise
        PRINT_DURATION.labels("single").observe(asyncio.get_running_loop().time() - began)
        if found.pdf is None:
            raise _unprintable(found.reason)
        return found.pdf

    async def _add(self, school: SchoolId, wanted: PrintId, new: NewPrint) -> None:
        now = self._clock.now()
        async with self._db.tenant(school) as tx:
            most = self._policy.most_waiting
            if not await store.add(tx, wanted, new, now=now, until=now + self._policy.keep, most=most):
                raise TooMany("too many documents of the school wait to be printed; try again shortly", _COME_BACK_S)

    async def _wait(self, school: SchoolId, wanted: PrintId, heard: asyncio.Event, until: float) -> Outcome:
        loop = asyncio.get_running_loop()
        while (left := until - loop.time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), min(left, self._policy.look_every.total_seconds()))
            async with self._db.tenant(school) as tx:
                if (found := await store.take_outcome(tx, wanted)) is not None:
                    return found
        raise Unavailable("nothing was free to print the document in time; try again shortly", _COME_BACK_S)

    async def _remove(self, school: SchoolId, wanted: PrintId) -> None:
        try:
            async with self._db.tenant(school) as tx:
                await store.remove(tx, wanted)
        except SchoolOSError as error:  # it is swept
            log.warning("print_not_removed", print_id=str(wanted), error=error.message)


def _unprintable(what: str) -> InvalidInput:
    return InvalidInput(what, [Fault("", what, "unprintable")])
