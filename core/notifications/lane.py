"""The three lanes that messages wait in, and in which order they leave; the bounds of a worker."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from core.errors import Fault, InvalidInput
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel, Lane

Item = TypeVar("Item")

SHARES: Mapping[Lane, int] = {Lane.URGENT: 16, Lane.NORMAL: 3, Lane.BULK: 1}
"""While all lanes have messages waiting, this is how they share what leaves; what one leaves over the others take."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """The bounds of a worker."""

    concurrency: int = 50
    """Requests under way at once, over all channels (P2-11)."""
    lease: timedelta = timedelta(seconds=15)
    request_timeout: timedelta = timedelta(seconds=10)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    poll: timedelta = timedelta(milliseconds=250)
    """How soon a delivery is noticed that became due without a word: a retry, or another worker's event."""
    keyed: frozenset[Channel] = frozenset()
    """Channels whose every provider honours idempotency keys, so that sending again is harmless."""
    at_most_once: frozenset[str] = frozenset({"fee.reminder"})
    """Event types of which nothing in doubt is sent again on other channels: a payment reminder that comes twice
    annoys and costs, and one that is lost has a next one. An absence or a result that is lost has none."""

    @property
    def shortest_lease(self) -> timedelta:
        """What a request needs of its lease: its own time, and half of what is left to write the verdict in."""
        return (self.request_timeout + self.lease) / 2

    def may_repeat(self, channel: Channel, event_type: str) -> bool:
        """Tell whether a message may be sent again though it is in doubt whether it has left."""
        return channel in self.keyed or event_type not in self.at_most_once

    def __post_init__(self) -> None:
        if self.request_timeout >= self.lease:
            what = "a request may not outlast its lease, or another worker would send the same message meanwhile"
            raise InvalidInput(what, [Fault("notifier.request_timeout", what, "out_of_range")])


class Slots:
    """The requests a worker may have under way; no channel may take them all."""

    def __init__(self, total: int, channels: int) -> None:
        self.share = max(1, total - (channels - 1) * max(1, total // 5))
        """The most one channel may have: the others always keep a fifth each, so a slow one can't stop them."""
        self.free = total


class LaneQueue(Generic[Item]):
    """Waiting items by lane: the urgent first, and of each lane its share, so that none starves.

    Stride scheduling (Waldspurger and Weihl 1995): a lane's pass grows by the inverse of its share with each item that
    leaves, and the smallest pass is next. A lane that was empty begins a step after now: it has saved
    up nothing.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[Item]] = {lane: deque() for lane in Lane}
        self._passes: dict[Lane, float] = dict.fromkeys(Lane, 0.0)
        self._now = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def count(self, lane: Lane) -> int:
        """Return how many wait in a lane."""
        return len(self._lanes[lane])

    def put(self, lane: Lane, item: Item) -> None:
        """Add an item at a lane's end."""
        if not self._lanes[lane]:
            self._passes[lane] = max(self._passes[lane], self._now + 1 / SHARES[lane])
        self._lanes[lane].append(item)

    def put_back(self, lane: Lane, item: Item) -> None:
        """Return an item that was taken to its lane's front."""
        self._lanes[lane].appendleft(item)

    def take(self) -> tuple[Lane, Item]:
        """Remove and return the next item with its lane. Raises ``IndexError`` where nothing waits."""
        lane = min((lane for lane in Lane if self._lanes[lane]), key=self._passes.__getitem__, default=Lane.URGENT)
        self._now = self._passes[lane]
        item = self._lanes[lane].popleft()
        self._passes[lane] += 1 / SHARES[lane]
        return lane, item
