"""The stream of events as the relay and the consumers see it, and what they agree on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

STREAM = "events"
GROUP = "notification-service"
DEAD_STREAM = "events:dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream, as delivered to a consumer."""

    id: str
    """The stream's own id, ``<milliseconds>-<sequence>``; an event relayed twice has two."""
    fields: Mapping[str, str]
    deliveries: int = 1
    """How often it was delivered so far, this time included."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that was delivered to a consumer and is not acknowledged."""

    id: str
    consumer: str
    idle: timedelta
    """Since it was last delivered."""
    deliveries: int


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far the group is. Times are the stream's own clock."""

    length: int
    pending: int
    undelivered: int
    oldest_at: datetime | None
    """When the oldest entry that is not acknowledged was appended; None where all are."""
    now: datetime

    @property
    def backlog(self) -> int:
        """Entries not yet handled: pending and undelivered (C-31)."""
        return self.pending + self.undelivered

    @property
    def lag(self) -> timedelta:
        """Age of the oldest entry not yet handled."""
        return max(self.now - self.oldest_at, timedelta()) if self.oldest_at else timedelta()


class EventStream(Protocol):
    """A durable, ordered stream with one consumer group. Everything raises ``Unavailable`` when it does not answer."""

    async def create_group(self) -> None:
        """Make stream and group where they are missing; the group begins at the first entry (C-05)."""

    async def append(self, entries: Sequence[Mapping[str, str]]) -> Sequence[str]:
        """Append entries in order and return their ids."""

    async def read(self, consumer: str, count: int, block: timedelta) -> Sequence[Entry]:
        """Return entries never delivered before, waiting for one. Raises ``NotFound`` where the group is gone."""

    async def pending(self, min_idle: timedelta, count: int) -> Sequence[Pending]:
        """Return the oldest unacknowledged entries that were delivered at least so long ago."""

    async def claim(
        self, consumer: str, entries: Sequence[Pending], min_idle: timedelta, *, counted: bool = True
    ) -> Sequence[Entry]:
        """Deliver unacknowledged entries again, to this consumer, unless another was faster.

        Uncounted, the number of deliveries stays as it is: the delivery before was no fault of the entry.
        """

    async def ack(self, ids: Sequence[str]) -> None:
        """Acknowledge entries."""

    async def bury(self, entry: Entry, reason: str) -> None:
        """Copy an entry to the stream of dead letters, with the reason, and acknowledge it in the same step."""

    async def leave(self, consumer: str) -> None:
        """Remove a consumer from the group, unless it has unacknowledged entries."""

    async def state(self) -> StreamState:
        """Return how far the group is; zeros where there is no stream yet."""

    async def trim(self, keep: int) -> int:
        """Remove entries that every group has acknowledged, but keep the newest; return how many went (C-18)."""

    async def ping(self) -> None:
        """Raise ``Unavailable`` when the stream does not answer."""
