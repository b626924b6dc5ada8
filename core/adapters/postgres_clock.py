"""The database's clock, told between two looks at it by the steady clock of this process."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from core.clock import Clock
from core.errors import Unavailable
from core.events.looping import Stoppable
from core.ports import Database

_LOOK_EVERY = timedelta(seconds=10)


class PostgresClock:
    """One time for all workers of a database, whatever their machines' clocks do.

    Leases and retries are moments that one worker writes and another compares: a machine whose clock jumps an hour
    ahead would take what others are sending, one that jumps back would not retry for an hour.
    """

    def __init__(self, db: Database, machine: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with the machine's time, which stands until the database was first asked."""
        self._db = db
        self._monotonic = monotonic
        self._at, self._seen = machine.now(), monotonic()
        self._looks = Stoppable("clock")

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return self._at + timedelta(seconds=self._monotonic() - self._seen)

    async def look(self) -> None:
        """Ask the database for its time. Raises ``Unavailable``."""
        async with self._db.dispatch() as tx:
            asked = self._monotonic()
            at: datetime = await tx.fetchval("SELECT clock_timestamp()")
            seen = self._monotonic()
        self._at, self._seen = at, (asked + seen) / 2

    async def start(self) -> None:
        """Look once, where the database answers; without it the machine's time stands for now."""
        with suppress(Unavailable):
            await self.look()

    async def run(self) -> None:
        """Look again now and then, so that the two do not drift apart, until cancelled."""
        await self._looks.loop(self._look_later)

    async def _look_later(self) -> None:
        await self._looks.pause(_LOOK_EVERY)
        await self.look()
