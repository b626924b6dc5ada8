"""One channel of a worker: what it holds by lane, and how many requests it has under way."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from opentelemetry.trace import SpanKind, StatusCode

from core.clock import Clock
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.notifications import delivery_store
from core.notifications.lane import DeliveryPolicy, LaneQueue, Slots
from core.notifications.lifecycle import RetryPolicy, Try
from core.notifications.limits import Gate, RateLimiter
from core.notifications.model import Attempt, Channel, Delivery, Lane, OutgoingMessage, Receipt, Text
from core.notifications.ports import MessageSender
from core.notifications.rendering import Templates
from core.notifications.sms.message import as_sent, billed
from core.ports import Database
from core.telemetry import get_logger, span_if_kept

log = get_logger("notifications")

_LINGER_S = 0.005
"""How long an outlet waits for more free slots before it marks a small batch as being sent."""
_AGAIN_AFTER_S = 0.5
_BELL_ROOM = 400
_SECONDS_HELD = 0.5
"""How much of each lane a worker claims ahead of a limit: what is claimed, another can't send."""


class BellOutlet:
    """The bell: its entry is written with the verdict, so that it needs no request and comes exactly once."""

    under_way = 0

    def __init__(self, templates: Templates, clock: Clock, post: Callable[[Attempt], None]) -> None:
        self._held = 0
        self._templates = templates
        self._clock = clock
        self._post = post

    def rooms(self) -> Mapping[Lane, int]:
        """Return how many more of each lane can be taken in."""
        return dict.fromkeys(Lane, _BELL_ROOM) if 2 * self._held <= _BELL_ROOM else {}

    def take(self, delivery: Delivery) -> None:
        """Write a claimed delivery's text and post it as sent."""
        self._held += 1
        now = self._clock.now()
        trial = Try(delivery, "bell", now)
        text = _render(self._templates, delivery, trial, self._post, self._clock)
        if text:
            self._post(replace(trial.sent(Receipt(message_id=str(delivery.id)), now), text=text))

    def recorded(self, count: int) -> None:
        """Take note that so many verdicts are written."""
        self._held -= count


class ProviderOutlet:
    """A provider's channel: claimed deliveries wait here for a slot, are marked as being sent, and are sent."""

    def __init__(
        self,
        channel: Channel,
        sender: MessageSender,
        slots: Slots,
        *,
        limiter: RateLimiter,
        db: Database,
        clock: Clock,
        templates: Templates,
        policy: DeliveryPolicy,
        worker: str,
        post: Callable[[Attempt], None],
    ) -> None:
        self.channel = channel
        self._sender = sender
        self._slots = slots
        self._gate = Gate(limiter)
        rate = limiter.rate_per_s
        self._ahead = min(slots.share, math.ceil(rate * _SECONDS_HELD)) if rate else slots.share
        self._held = 0
        """Claimed and not yet recorded."""
        self._db = db
        self._clock = clock
        self._templates = templates
        self._policy = policy
        self._worker = worker
        self._post = post
        self._waiting: LaneQueue[tuple[Delivery, Text]] = LaneQueue()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._stopping = False

    def rooms(self) -> Mapping[Lane, int]:
        """Return how many more of each lane can be taken in; half-empty lanes only, so that claims come in batches."""
        spare = 4 * self._slots.share - self._held
        rooms = {lane: min(self._ahead - self._waiting.count(lane), spare) for lane in Lane}
        return {lane: room for lane, room in rooms.items() if 2 * room >= self._ahead}

    def take(self, delivery: Delivery) -> None:
        """Take a claimed delivery in, ready to go."""
        self._held += 1
        trial = Try(delivery, self._sender.provider, self._clock.now())
        text = _render(self._templates, delivery, trial, self._post, self._clock)
        if text:
            self._waiting.put(delivery.lane, (delivery, text))
            self._stirred.set()

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
                log.warning("batch_not_marked", channel=self.channel, error=str(error))
                pause_s = _AGAIN_AFTER_S
            if pause_s:
                await asyncio.sleep(min(pause_s, _AGAIN_AFTER_S))
                self._stirred.set()

    def close(self) -> None:
        """Begin no more requests; what waits here stays claimed, to be given back."""
        self._stopping = True
        self._stirred.set()

    async def finished(self) -> None:
        """Return when every request under way has ended."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def abandon(self) -> None:
        """Stop the requests under way; after their lease they are in doubt."""
        for task in self._under_way:
            task.cancel()

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._under_way)

    def _room(self) -> int:
        return min(self._slots.share - len(self._under_way), self._slots.free)

    async def _send_batch(self) -> float:
        """Send what slots and limit allow; return how long to wait for the limit."""
        count = min(self._room(), len(self._waiting))
        if count <= 0:
            return 0.0
        # Taken before the waits below, so that another channel can't take the same slots.
        self._slots.free -= count
        begun = 0
        try:
            moments, pause_s = await self._gate.admit(count)
            # Chosen only now: what came while the limit was asked overtakes, where it is more urgent.
            batch = [self._waiting.take() for _ in moments]
            marked = await self._mark(batch)
            for (delivery, text), moment in zip(marked, await self._renewed(moments, marked), strict=False):
                begun += 1
                self._start(delivery, text, moment)
        finally:
            self._slots.free += count - begun
        if len(moments) < count:
            return max(pause_s, _LINGER_S)
        return 0.0

    async def _mark(self, batch: Sequence[tuple[Lane, tuple[Delivery, Text]]]) -> Sequence[tuple[Delivery, Text]]:
        """Write down that these are being sent; return those that are still this worker's own."""
        if not batch:
            return ()
        try:
            async with self._db.dispatch() as tx:
                own = await delivery_store.mark_sending(
                    tx,
                    [delivery for _, (delivery, _) in batch],
                    worker=self._worker,
                    now=self._clock.now(),
                    lease=self._policy.lease,
                    at_least=self._policy.shortest_lease,
                )
        except SchoolOSError:
            for lane, item in reversed(batch):
                self._waiting.put_back(lane, item)
            raise
        # Of one that is missing the lease ran out while it waited here: it belongs to whoever claims it next.
        self._held -= len(batch) - len(own)
        return [item for _, item in batch if item[0].id in own]

    async def _renewed(self, moments: Sequence[float], marked: Sequence[tuple[Delivery, Text]]) -> Sequence[float]:
        """Exchange what lapsed while the batch was marked. Where that can't be, nothing leaves, and the log says so."""
        try:
            async with asyncio.timeout(self._policy.request_timeout.total_seconds() / 4):
                return await self._gate.renewed(moments[: len(marked)])
        except (Unavailable, TimeoutError):
            now = self._clock.now()
            for delivery, _ in marked:
                self._post(Try(delivery, self._sender.provider, now).failed(_no_permit(), self._policy.retry, now))
            return ()

    def _start(self, delivery: Delivery, text: Text, moment: float) -> None:
        task = asyncio.create_task(self._send(delivery, text, moment))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.free += 1
        self._stirred.set()

    async def _send(self, delivery: Delivery, text: Text, moment: float) -> None:
        message = OutgoingMessage(key=delivery.key, address=delivery.address or "", text=text)
        trial = Try(delivery, self._sender.provider, self._clock.now())
        may_repeat = self._policy.may_repeat(delivery.channel, delivery.event_type)
        try:
            await self._until(moment)
            receipt = await self._call(delivery, message)
        except (SchoolOSError, TimeoutError) as error:
            self._post(trial.failed(error, self._policy.retry, self._clock.now(), may_repeat=may_repeat))
        except Exception as error:  # the edge of the loop: one message must not stop the others
            log.exception("sending_broke", delivery_id=str(delivery.id), channel=self.channel)
            unknown = Unavailable(f"the adapter broke: {type(error).__name__}")
            self._post(trial.failed(unknown, self._policy.retry, self._clock.now(), may_repeat=may_repeat))
        else:
            self._post(billed(trial.sent(receipt, self._clock.now()), text, receipt))

    async def _until(self, moment: float) -> None:
        """Wait for a permit's moment. Raises ``TooMany`` where it can't be had: then certainly nothing has left."""
        if self._gate.is_open(moment):
            return
        try:
            async with asyncio.timeout(self._policy.request_timeout.total_seconds() / 4):
                await self._gate.enter(moment)
        except (Unavailable, TimeoutError) as error:
            raise _no_permit() from error

    async def _call(self, delivery: Delivery, message: OutgoingMessage) -> Receipt:
        with span_if_kept(
            f"deliver-{self.channel}",
            delivery.traceparent,
            SpanKind.CLIENT,
            delivery_id=str(delivery.id),
            provider=self._sender.provider,
            attempt=delivery.number,
        ) as under_way:
            try:
                async with asyncio.timeout(self._policy.request_timeout.total_seconds()):
                    return await self._sender.send(message)
            except (SchoolOSError, TimeoutError):
                under_way.set_status(StatusCode.ERROR)
                raise


Outlet = BellOutlet | ProviderOutlet


def count_by_channel(attempts: Sequence[Attempt]) -> Mapping[Channel, int]:
    """Return how many attempts there are of each channel."""
    return Counter(attempt.delivery.channel for attempt in attempts)


def _no_permit() -> TooMany:
    return TooMany("no permit of the rate limit could be had", 1.0)


def _render(
    templates: Templates, delivery: Delivery, trial: Try, post: Callable[[Attempt], None], clock: Clock
) -> Text | None:
    try:
        content = {**delivery.content, **templates.beside(delivery)}
        text = templates.render(delivery.event_type, delivery.channel, delivery.language, content)
    except InvalidInput as error:
        post(trial.failed(error, RetryPolicy(), clock.now()))
        return None
    return as_sent(text, delivery) if delivery.channel is Channel.SMS else text
