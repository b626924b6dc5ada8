"""How much waits to be delivered: what the pool of notifiers is sized by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.clock import Clock
from core.events.stream import EventStream
from core.notifications import delivery_store, webhooks_loop_store
from core.notifications.model import Channel
from core.ports import Database

_FED_S = 3.0
"""Of a channel with a limit that many seconds' worth counts. What its provider won't take before then no worker more
can send sooner: one has 50 requests under way, and asks for 30 a second."""


class Backlog:
    """Events not yet handled, deliveries and webhooks that are due, as far as more workers would help (C-31)."""

    def __init__(
        self, db: Database, stream: EventStream, clock: Clock, rates: Mapping[Channel, float] | None = None
    ) -> None:
        """Take the limits of the channels that have one, in messages a second."""
        self._db = db
        self._stream = stream
        self._clock = clock
        self._rates = rates or {}

    async def __call__(self) -> int:
        """Return how many wait. Raises ``Unavailable`` where it can't be learnt."""
        events = (await self._stream.state()).backlog
        async with self._db.dispatch() as tx:
            due = await delivery_store.count_due(tx, self._clock.now())
            webhooks = await webhooks_loop_store.count_due(tx, self._clock.now())
        return events + webhooks + sum(self._useful(channel, count) for channel, count in due.items())

    def _useful(self, channel: Channel, count: int) -> int:
        rate = self._rates.get(channel)
        return count if rate is None else min(count, round(rate * _FED_S))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the whole system, counted to ten thousand each."""

    events: int
    """Written and not yet handled."""
    deliveries: Mapping[str, int]
    """Due, by lane."""
    webhooks: int
    """Due."""
    dead: int
    """Events and deliveries that nobody has replayed or set aside."""


async def waiting(db: Database, now: datetime) -> Waiting:
    """Return what waits. Raises ``Unavailable``."""
    async with db.dispatch() as tx:
        return Waiting(
            events=await delivery_store.count_events(tx),
            deliveries=await delivery_store.count_due_by_lane(tx, now),
            webhooks=await webhooks_loop_store.count_due(tx, now),
            dead=await delivery_store.count_dead(tx),
        )
