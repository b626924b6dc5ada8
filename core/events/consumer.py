"""Takes events from the stream and has them handled: each at least once, none lost, none in the way of others.

What becomes of an entry::

    read -> handled -> acknowledged (C-04)
         -> failed  -> delivered again after 1, 2, 4, ... s to the same consumer -> ... -> dead letter
         -> its consumer died -> delivered to another once it was idle for a lease (C-06)
         -> not an event, or refused as invalid by the handler -> dead letter at once

A handler that can't work for lack of a dependency uses up no delivery: the entry waits until the dependency is back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from core.errors import InvalidInput, NotFound, SchoolOSError, Unavailable
from core.events.envelope import Event, from_fields
from core.events.looping import Stoppable
from core.events.stream import Entry, EventStream, Pending
from core.telemetry import get_logger

_log = get_logger("events")

Handler = Callable[[Event], Awaitable[None]]
"""Makes an event's effects durable and returns. It is called again for the same event whenever that is in doubt.

Raises ``InvalidInput`` for an event that can never be handled, ``Unavailable`` where a dependency is missing.
"""


class Graveyard(Protocol):
    """Where dead letters are kept until someone replays or discards them."""

    async def record(self, entry: Entry, reason: str) -> None:
        """Keep an entry, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPolicy:
    """How patient a consumer is."""

    batch: int = 10
    block: timedelta = timedelta(seconds=5)
    lease: timedelta = timedelta(seconds=15)
    """An entry idle this long has lost its consumer. Longer than a handler may take."""
    handle_timeout: timedelta = timedelta(seconds=10)
    reclaim_every: timedelta = timedelta(seconds=1)
    first_retry: timedelta = timedelta(seconds=1)
    max_deliveries: int = 5
    """An entry that failed so often is a dead letter."""

    def retry_after(self, deliveries: int) -> timedelta:
        """Return how long a failed entry waits: 1, 2, 4, ... s, within the lease."""
        return min(self.first_retry * 2.0 ** min(deliveries - 1, 16), self.lease)


def is_due(pending: Pending, consumer: str, policy: ConsumerPolicy) -> bool:
    """Tell whether a consumer takes an unacknowledged entry: its own after the back-off, another's after the lease."""
    if pending.consumer == consumer:
        return pending.idle >= policy.retry_after(pending.deliveries)
    return pending.idle >= policy.lease


class EventConsumer:
    """One consumer of the group: ``run`` until ``stop``."""

    def __init__(
        self,
        stream: EventStream,
        dead_letters: Graveyard,
        handler: Handler,
        *,
        name: str,
        policy: ConsumerPolicy | None = None,
    ) -> None:
        self._stream = stream
        self._dead_letters = dead_letters
        self._handler = handler
        self._name = name
        self._policy = policy or ConsumerPolicy()
        self._loops = Stoppable(name)
        self._under_way: set[str] = set()
        self._excused: set[str] = set()
        """Entries whose last delivery failed for want of a dependency."""
        self.handled = 0

    async def run(self) -> None:
        """Consume until stopped; what goes wrong at the stream is logged and tried again."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._loops.loop(lambda: self._mending_group(self.read_once)))
            loops.create_task(self._loops.loop(self._reclaim_and_pause))
        with suppress(SchoolOSError):
            await self._stream.leave(self._name)

    def stop(self) -> None:
        """Read nothing more; ``run`` returns when what is under way has ended."""
        self._loops.stop()

    async def read_once(self) -> None:
        """Wait for new entries and handle them."""
        reading = self._stream.read(self._name, self._policy.batch, self._policy.block)
        # What a read that is cut off was being given stays pending and is claimed later.
        await self._handle_all(await self._loops.unless_stopped(reading, otherwise=()))

    async def reclaim_once(self) -> None:
        """Take the entries that are due again, this consumer's own and those of dead ones, and handle them."""
        policy = self._policy
        waiting = await self._stream.pending(min(policy.first_retry, policy.lease), 10 * policy.batch)
        due = [each for each in waiting if each.id not in self._under_way and is_due(each, self._name, policy)]
        for counted in (True, False):
            chosen = [each for each in due if (each.id not in self._excused) is counted][: policy.batch]
            own = [each for each in chosen if each.consumer == self._name]
            others = [each for each in chosen if each.consumer != self._name]
            claimed = [
                *(await self._stream.claim(self._name, own, policy.first_retry, counted=counted) if own else ()),
                *(await self._stream.claim(self._name, others, policy.lease, counted=counted) if others else ()),
            ]
            await self._handle_all(claimed)

    async def _reclaim_and_pause(self) -> None:
        await self._mending_group(self.reclaim_once)
        await self._loops.pause(self._policy.reclaim_every)

    async def _mending_group(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except NotFound:  # a Redis that lost its data; the relay sends again what was in it
            await self._stream.create_group()

    async def _handle_all(self, entries: Sequence[Entry]) -> None:
        self._under_way.update(entry.id for entry in entries)
        try:
            ends = await asyncio.gather(*(self._handle(entry) for entry in entries), return_exceptions=True)
        finally:
            self._under_way.difference_update(entry.id for entry in entries)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _handle(self, entry: Entry) -> None:
        if entry.deliveries > self._policy.max_deliveries:
            await self._bury(entry, f"delivered {entry.deliveries - 1} times and never finished")
            return
        try:
            event = from_fields(entry.fields)
            async with asyncio.timeout(self._policy.handle_timeout.total_seconds()):
                await self._handler(event)
        except InvalidInput as error:
            await self._bury(entry, error.message)
        except Unavailable as error:
            self._excused.add(entry.id)
            _log.warning("event_put_off", stream_id=entry.id, error=error.message)
        except Exception as error:  # noqa: BLE001 - one event's trouble must not stop the others
            await self._failed(entry, error)
        else:
            await self._stream.ack([entry.id])
            self._excused.discard(entry.id)
            self.handled += 1

    async def _failed(self, entry: Entry, error: Exception) -> None:
        self._excused.discard(entry.id)
        _log.exception("event_failed", stream_id=entry.id, deliveries=entry.deliveries)
        if entry.deliveries >= self._policy.max_deliveries:
            # Only the kind of an unforeseen error: its words may hold someone's data.
            why = error.message if isinstance(error, SchoolOSError) else type(error).__name__
            await self._bury(entry, f"failed {entry.deliveries} times, at last: {why}")

    async def _bury(self, entry: Entry, reason: str) -> None:
        try:
            await self._dead_letters.record(entry, reason)
            await self._stream.bury(entry, reason)
        except Unavailable:
            self._excused.add(entry.id)
            raise
        self._excused.discard(entry.id)
        _log.error("event_buried", stream_id=entry.id, reason=reason)
