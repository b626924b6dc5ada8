"""How much waits to be delivered: what the pool of notifiers is sized by."""

from core.clock import Clock
from core.events.stream import EventStream
from core.notifications import delivery_store
from core.ports import Database


class Backlog:
    """Events not yet handled, and deliveries that are due (C-31)."""

    def __init__(self, db: Database, stream: EventStream, clock: Clock) -> None:
        self._db = db
        self._stream = stream
        self._clock = clock

    async def __call__(self) -> int:
        """Return how many wait. Raises ``Unavailable`` where it can't be learnt."""
        events = (await self._stream.state()).backlog
        async with self._db.dispatch() as tx:
            return events + await delivery_store.count_due(tx, self._clock.now())
