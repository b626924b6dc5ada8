"""One channel of a worker: what it takes of each lane, and how that comes to its provider.

Where a provider's limit holds in every second, deliveries are claimed ahead and wait here for their permits
(``PacedOutlet``). Where there is none to wait for, they are claimed as being sent already, as many as can begin at once
(``DirectOutlet``): one statement less for each, and still nothing leaves before `sending` is committed.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from core.errors import InvalidInput, SchoolOSError, Unavailable
from core.notifications import delivery_store
from core.notifications.lane import SHARES, LaneQueue
from core.notifications.lifecycle import RetryPolicy
from core.notifications.limits import AHEAD_S
from core.notifications.model import Attempt, Channel, Delivery, Lane, Text
from core.notifications.rendering import Templates
from core.notifications.requesting import Outside, Requests
from core.notifications.sms.message import as_sent
from core.telemetry import get_logger

log = get_logger("notifications")

_LINGER_S = 0.005
"""How long an outlet waits for more free slots before it marks a small batch as being sent."""
_AGAIN_AFTER_S = 0.5
_SECONDS_HELD = 0.5
"""How much of each lane a worker claims ahead of a limit: what is claimed, another can't send."""
_FIRST = {lane: place for place, lane in enumerate(SHARES)}


class DirectOutlet:
    """A channel whose deliveries begin as they are claimed: the slots are taken before the claim."""

    def __init__(self, outside: Outside, templates: Templates, stir: Callable[[], None]) -> None:
        """Take whom to tell that there is room again, where there was none."""
        self._outside = outside
        self._templates = templates
        self._slots = outside.slots
        self._stir = stir
        self._requests = Requests(outside, self._freed)
        self._beginning: set[asyncio.Task[None]] = set()
        rate = outside.gate.rate_per_s
        self._soon = math.ceil(rate * AHEAD_S) if rate else outside.slots.share
        """As many as can have a permit soon."""
        self._refused = False
        """Whether the last claim found no room here."""
        self._busy = 0
        """Slots that are taken here, by requests and for those that begin."""
        self.reserved = 0
        self._held = 0
        """Claimed and not yet recorded."""
        self._stopping = False

    async def is_ready(self) -> bool:
        """Tell whether the limit lets something leave soon; until it does, nothing is claimed that could not."""
        if self._outside.gate.rate_per_s is None or not self._has_room():
            return True
        try:
            _, wait_s = await self._outside.gate.admit(0)
        except Unavailable as error:
            log.warning("limit_not_known", channel=self._outside.channel, error=str(error))
            return False
        if wait_s > 0:
            asyncio.get_running_loop().call_later(wait_s, self._stir)
        return wait_s <= 0

    def rooms(self, lanes: Collection[Lane]) -> Mapping[Lane, int]:
        """Return how many of each lane can begin at once: together ``reserved`` slots, kept until ``take``."""
        if self._stopping or not lanes:
            return {}
        self._refused = not self._has_room()
        if self._refused:
            return {}
        self.reserved = self._spare()
        self._freed(-self.reserved)
        return dict.fromkeys(lanes, self.reserved)

    def take(self, claimed: Sequence[Delivery]) -> None:
        """Begin what was claimed, and free the slots of what was not. Called after every ``rooms``, whatever came."""
        unused, self.reserved = self.reserved - len(claimed), 0
        self._freed(unused)
        self._held += len(claimed)
        begun = []
        for delivery in sorted(claimed, key=lambda each: _FIRST[each.lane]):
            text = _rendered(self._templates, delivery, self._outside)
            if text is None:
                self._freed(1)
            else:
                begun.append((delivery, text))
        if begun:
            task = asyncio.create_task(self._begin(begun))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def recorded(self, count: int) -> None:
        """Take note that so many verdicts are written."""
        self._held -= count
        self._freed(0)

    async def run(self) -> None:
        """Do nothing: what is claimed begins at once."""

    def close(self) -> None:
        """Claim no more; what is claimed begins all the same."""
        self._stopping = True

    async def finished(self) -> None:
        """Return when every request under way has ended."""
        while self._beginning:
            await asyncio.wait(self._beginning)
        await self._requests.finished()

    def abandon(self) -> None:
        """Stop the requests under way; after their lease they are in doubt."""
        for task in self._beginning:
            task.cancel()
        self._requests.abandon()

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._requests)

    def _spare(self) -> int:
        share = self._slots.share
        return min(share - self._busy, self._slots.free, 4 * share - self._held, self._soon)

    def _has_room(self) -> bool:
        return self._spare() >= max(1, min(self._slots.share, self._soon) // 4)  # so that claims come in batches

    def _freed(self, slots: int) -> None:
        self._busy -= slots
        self._slots.free += slots
        if self._refused and self._has_room():
            self._refused = False
            self._stir()

    async def _begin(self, batch: Sequence[tuple[Delivery, Text]]) -> None:
        moments: Sequence[float] = ()
        try:
            moments = await self._outside.permitted([delivery for delivery, _ in batch])
            for (delivery, text), moment in zip(batch, moments, strict=False):
                self._requests.start(delivery, text, moment)
        finally:
            self._freed(len(batch) - len(moments))


class PacedOutlet:
    """A channel at a limit: claimed deliveries wait here for a slot and a permit, are marked as being sent, and are."""

    reserved = None

    async def is_ready(self) -> bool:
        """Return True: what is claimed here waits for its permits."""
        return True

    def __init__(self, outside: Outside, templates: Templates) -> None:
        self._outside = outside
        self._templates = templates
        self._slots = outside.slots
        self._requests = Requests(outside, self._ended)
        rate = outside.gate.rate_per_s
        self._ahead = min(self._slots.share, math.ceil(rate * _SECONDS_HELD)) if rate else self._slots.share
        self._held = 0
        """Claimed and not yet recorded."""
        self._waiting: LaneQueue[tuple[Delivery, Text]] = LaneQueue()
        self._stirred = asyncio.Event()
        self._stopping = False

    def rooms(self, lanes: Collection[Lane]) -> Mapping[Lane, int]:
        """Return how many more of each lane can be taken in; half-empty lanes only, so that claims come in batches."""
        spare = 4 * self._slots.share - self._held
        rooms = {lane: min(self._ahead - self._waiting.count(lane), spare) for lane in lanes}
        return {lane: room for lane, room in rooms.items() if 2 * room >= self._ahead}

    def take(self, claimed: Sequence[Delivery]) -> None:
        """Take claimed deliveries in, ready to go."""
        self._held += len(claimed)
        for delivery in claimed:
            text = _rendered(self._templates, delivery, self._outside)
            if text:
                self._waiting.put(delivery.lane, (delivery, text))
        self._stir()

    def recorded(self, count: int) -> None:
        """Take note that so many verdicts are written."""
        self._held -= count

    async def run(self) -> None:
        """Send what is taken in until closed."""
        while True:
            await self._stirred.wait()
            if self._stopping:
                return
            self._stirred.clear()
            if self._waiting and self._room() < min(len(self._waiting), self._slots.share // 2):
                await asyncio.sleep(_LINGER_S)
            try:
                pause_s = await self._send_batch()
            except SchoolOSError as error:
                log.warning("batch_not_marked", channel=self._outside.channel, error=str(error))
                pause_s = _AGAIN_AFTER_S
            if pause_s:
                await asyncio.sleep(min(pause_s, _AGAIN_AFTER_S))
                self._stir()

    def close(self) -> None:
        """Begin no more requests; what waits here stays claimed, to be given back."""
        self._stopping = True
        self._stir()

    async def finished(self) -> None:
        """Return when every request under way has ended."""
        await self._requests.finished()

    def abandon(self) -> None:
        """Stop the requests under way; after their lease they are in doubt."""
        self._requests.abandon()

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._requests)

    def _stir(self) -> None:
        self._stirred.set()

    def _ended(self, requests: int) -> None:
        self._slots.free += requests
        self._stir()

    def _room(self) -> int:
        return min(self._slots.share - len(self._requests), self._slots.free)

    async def _send_batch(self) -> float:
        """Send what slots and limit allow; return how long to wait for the limit."""
        count = min(self._room(), len(self._waiting))
        if count <= 0:
            return 0.0
        # Taken before the waits below, so that another channel can't take the same slots.
        self._slots.free -= count
        begun = 0
        try:
            moments, pause_s = await self._outside.gate.admit(count)
            # Chosen only now: what came while the limit was asked overtakes, where it is more urgent.
            batch = [self._waiting.take() for _ in moments]
            marked = await self._mark(batch)
            permits = await self._outside.permitted([delivery for delivery, _ in marked], moments)
            for (delivery, text), moment in zip(marked, permits, strict=False):
                begun += 1
                self._requests.start(delivery, text, moment)
        finally:
            self._slots.free += count - begun
        if len(moments) < count:
            return max(pause_s, _LINGER_S)
        return 0.0

    async def _mark(self, batch: Sequence[tuple[Lane, tuple[Delivery, Text]]]) -> Sequence[tuple[Delivery, Text]]:
        """Write down that these are being sent; return those that are still this worker's own."""
        if not batch:
            return ()
        outside = self._outside
        try:
            async with outside.db.dispatch() as tx:
                own = await delivery_store.mark_sending(
                    tx,
                    [delivery for _, (delivery, _) in batch],
                    worker=outside.worker,
                    now=outside.clock.now(),
                    lease=outside.policy.lease,
                    at_least=outside.policy.shortest_lease,
                )
        except SchoolOSError:
            for lane, item in reversed(batch):
                self._waiting.put_back(lane, item)
            raise
        # Of one that is missing the lease ran out while it waited here: it belongs to whoever claims it next.
        self._held -= len(batch) - len(own)
        return [item for _, item in batch if item[0].id in own]


Outlet = DirectOutlet | PacedOutlet


def outlet_of(outside: Outside, templates: Templates, stir: Callable[[], None]) -> Outlet:
    """Return the outlet that fits a channel's limit; ``stir`` is told when there is room again."""
    return PacedOutlet(outside, templates) if outside.gate.strict else DirectOutlet(outside, templates, stir)


def count_by_channel(attempts: Sequence[Attempt]) -> Mapping[Channel, int]:
    """Return how many attempts there are of each channel."""
    return Counter([attempt.delivery.channel for attempt in attempts])


def _rendered(templates: Templates, delivery: Delivery, outside: Outside) -> Text | None:
    """Return the text that goes out; where there can be none, the delivery's end is posted."""
    try:
        text = templates.message(delivery)
    except InvalidInput as error:
        outside.post(outside.begun(delivery).failed(error, RetryPolicy(), outside.clock.now()))
        return None
    return as_sent(text, delivery) if delivery.channel is Channel.SMS else text
