"""Carries the outbox to the stream: in order, at least once, and again where the stream has lost what it was given.

The stream is given no more than it may hold unhandled; the rest waits in the outbox, which has room for it.

A crash between appending and marking sends an event twice; consumers know it by its id. Two relays at once share the
work, because each skips what the other has locked.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from opentelemetry.trace import SpanKind

from core.events.envelope import Event, to_fields
from core.events.looping import Stoppable
from core.events.stream import EventStream, StreamState
from core.ids import EventId, SchoolId
from core.ports import Database, Row
from core.telemetry import STREAM_LAG, STREAM_PENDING, current_traceparent, get_logger, span

_log = get_logger("events")

_CLAIM = """
SELECT id, school_id, type, version, occurred_at, traceparent, payload
FROM outbox WHERE relayed_at IS NULL
ORDER BY position LIMIT $1
FOR UPDATE SKIP LOCKED
"""

# The clock, not the transaction's time: relayed_at must not lie before the entry's own time.
_MARK = "UPDATE outbox SET relayed_at = clock_timestamp() WHERE id = ANY($1::uuid[])"

# What was relayed before the oldest entry that is not acknowledged is handled, dead, or lost with the stream's data.
_RETURN_LOST = """
UPDATE outbox SET relayed_at = NULL WHERE id IN (
    SELECT o.id FROM outbox o
    WHERE o.handled_at IS NULL AND o.relayed_at < $1
    AND NOT EXISTS (SELECT FROM dead_events d WHERE d.event_id = o.id)
    ORDER BY o.relayed_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


class Signal(Protocol):
    """Wakes the relay when something was written."""

    async def wait(self, at_most: timedelta) -> None:
        """Return when woken, at the latest after a while; how it is woken is never an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPolicy:
    """How a relay paces itself."""

    batch: int = 200
    poll_every: timedelta = timedelta(seconds=1)
    """Looks at the outbox this often even when nothing wakes it."""
    upkeep_every: timedelta = timedelta(seconds=5)
    lost_after: timedelta = timedelta(seconds=2)
    """How much older than the stream's oldest an event must be to count as lost by it: room for clocks that do not run
    alike. One that is returned for nothing is handled once all the same."""
    keep: int = 1000
    """Acknowledged entries left in the stream, to look at."""
    most_waiting: int = 10_000
    """Entries not yet handled past which the stream is given no more: at some 2 kB each, 20 MB. A stream that does not
    know its lag counts no further."""


class Relay:
    """One relay: ``run`` until ``stop``."""

    def __init__(self, db: Database, stream: EventStream, signal: Signal, policy: RelayPolicy | None = None) -> None:
        self._db = db
        self._stream = stream
        self._signal = signal
        self._policy = policy or RelayPolicy()
        self._loops = Stoppable("relay")
        self._room = 0
        """How much more the stream may be given before it has to be looked at again."""
        self.relayed = 0

    async def run(self) -> None:
        """Relay until stopped; what goes wrong is logged and tried again."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._loops.loop(self._relay_all))
            loops.create_task(self._loops.loop(self._upkeep_and_pause))

    def stop(self) -> None:
        """Take up nothing more; ``run`` returns when what is under way has ended."""
        self._loops.stop()

    async def relay_once(self) -> int:
        """Carry one batch over and return its size."""
        async with self._db.dispatch() as tx:
            rows = await tx.fetch(_CLAIM, self._policy.batch)
            if not rows:
                return 0
            with ExitStack() as spans:
                await self._stream.append([_entry_of(_event_in(row), spans) for row in rows])
            await tx.execute(_MARK, [row["id"] for row in rows])
        self.relayed += len(rows)
        return len(rows)

    async def return_lost(self) -> StreamState:
        """Put events back that the stream has lost, for the next batch, and return how it stands (C-18)."""
        async with self._db.dispatch() as tx:
            # Asked before the stream is: what it holds of this moment's past can't be younger then.
            now = await tx.fetchval("SELECT clock_timestamp()")
        state = await self._stream.state()
        # An age, because the stream and the database each have a clock of their own.
        age = state.now - (state.oldest_at or state.now)
        async with self._db.dispatch() as tx:
            count = await tx.execute(_RETURN_LOST, now - age - self._policy.lost_after, self._policy.batch)
        if count:
            _log.warning("lost_events_returned", count=count)
        return state

    async def upkeep_once(self) -> None:
        """Trim what the stream no longer needs, return what it lost and measure it."""
        # First, because a Redis without memory left refuses whatever might take some.
        await self._stream.trim(self._policy.keep)
        await self._stream.create_group()
        state = await self.return_lost()
        STREAM_PENDING.set(state.backlog)
        STREAM_LAG.set(state.lag.total_seconds())

    async def _relay_all(self) -> None:
        if self._room < self._policy.batch:
            self._room = self._policy.most_waiting - (await self._stream.state()).backlog
        if self._room < self._policy.batch:
            await self._loops.pause(self._policy.poll_every)
            return
        count = await self.relay_once()
        self._room -= count
        if count < self._policy.batch:
            await self._loops.unless_stopped(self._signal.wait(self._policy.poll_every), otherwise=None)

    async def _upkeep_and_pause(self) -> None:
        await self.upkeep_once()
        await self._loops.pause(self._policy.upkeep_every)


def _event_in(row: Row) -> Event:
    return Event(
        id=EventId(row["id"]),
        type=row["type"],
        version=row["version"],
        school_id=SchoolId(row["school_id"]),
        occurred_at=row["occurred_at"],
        traceparent=row["traceparent"],
        payload=row["payload"],
    )


def _entry_of(event: Event, spans: ExitStack) -> Mapping[str, str]:
    """Return an event's entry, under a span of its own that stays open until the whole batch is appended."""
    spans.enter_context(span("xadd", event.traceparent, SpanKind.PRODUCER, event_id=str(event.id), type=event.type))
    return to_fields(replace(event, traceparent=current_traceparent() or event.traceparent))
