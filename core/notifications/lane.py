"""One channel of a worker: what it holds, and how many requests it has under way."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from opentelemetry.trace import SpanKind, StatusCode

from core.clock import Clock
from core.errors import Fault, InvalidInput, SchoolOSError, Unavailable
from core.notifications import delivery_store
from core.notifications.lifecycle import RetryPolicy, Try
from core.notifications.model import Attempt, Channel, Delivery, OutgoingMessage, Receipt, Text
from core.notifications.ports import MessageSender
from core.notifications.rendering import Templates
from core.ports import Database
from core.telemetry import get_logger, span

log = get_logger("notifications")

_LINGER_S = 0.005
"""How long a lane waits for more free slots before it marks a small batch as being sent."""
_AGAIN_AFTER_S = 0.5
_BELL_ROOM = 400


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

    @property
    def shortest_lease(self) -> timedelta:
        """What a request needs of its lease: its own time, and half of what is left to write the verdict in."""
        return (self.request_timeout + self.lease) / 2

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


class BellLane:
    """The bell: its entry is written with the verdict, so that it needs no request and comes exactly once."""

    def __init__(self, templates: Templates, clock: Clock, post: Callable[[Attempt], None]) -> None:
        self.channel = Channel.PUSH
        self.capacity = _BELL_ROOM
        self.held = 0
        self._templates = templates
        self._clock = clock
        self._post = post

    def take(self, delivery: Delivery) -> None:
        """Write a claimed delivery's text and post it as sent."""
        self.held += 1
        now = self._clock.now()
        text = _render(self._templates, delivery, Try(delivery, "bell", now), self._post, self._clock)
        if text:
            sent = Try(delivery, "bell", now).sent(Receipt(message_id=str(delivery.id)), now)
            self._post(replace(sent, text=text))


class ProviderLane:
    """A provider's channel: claimed deliveries wait here for a slot, are marked as being sent, and are sent."""

    def __init__(
        self,
        channel: Channel,
        sender: MessageSender,
        slots: Slots,
        *,
        db: Database,
        clock: Clock,
        templates: Templates,
        policy: DeliveryPolicy,
        worker: str,
        post: Callable[[Attempt], None],
    ) -> None:
        self.channel = channel
        self.capacity = 2 * slots.share
        self.held = 0
        """Claimed and not yet recorded; the loop lowers it."""
        self._sender = sender
        self._slots = slots
        self._db = db
        self._clock = clock
        self._templates = templates
        self._policy = policy
        self._worker = worker
        self._post = post
        self._waiting: deque[tuple[Delivery, Text]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._stopping = False

    def take(self, delivery: Delivery) -> None:
        """Take a claimed delivery in, ready to go."""
        self.held += 1
        trial = Try(delivery, self._sender.provider, self._clock.now())
        text = _render(self._templates, delivery, trial, self._post, self._clock)
        if text:
            self._waiting.append((delivery, text))
            self._stirred.set()

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
                await self._send_batch()
            except SchoolOSError as error:
                log.warning("batch_not_marked", channel=self.channel, error=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)
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
        """Stop the requests under way; after their lease they are in doubt and go out again with the same key."""
        for task in self._under_way:
            task.cancel()

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._under_way)

    def _room(self) -> int:
        return min(self._slots.share - len(self._under_way), self._slots.free)

    async def _send_batch(self) -> None:
        count = min(self._room(), len(self._waiting))
        if count <= 0:
            return
        # Taken before the wait below, so that another channel can't take the same slots.
        self._slots.free -= count
        batch = [self._waiting.popleft() for _ in range(count)]
        try:
            own = await self._mark([delivery for delivery, _ in batch])
        except SchoolOSError:
            self._slots.free += count
            self._waiting.extendleft(reversed(batch))
            raise
        for delivery, text in batch:
            if delivery.id in own:
                self._start(delivery, text)
            else:  # its lease ran out while it waited here: it belongs to whoever claims it next
                self.held -= 1
                self._slots.free += 1

    async def _mark(self, batch: list[Delivery]) -> set[object]:
        async with self._db.dispatch() as tx:
            own = await delivery_store.mark_sending(
                tx,
                batch,
                worker=self._worker,
                now=self._clock.now(),
                lease=self._policy.lease,
                at_least=self._policy.shortest_lease,
            )
        return set(own)

    def _start(self, delivery: Delivery, text: Text) -> None:
        task = asyncio.create_task(self._send(delivery, text))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.free += 1
        self._stirred.set()

    async def _send(self, delivery: Delivery, text: Text) -> None:
        trial = Try(delivery, self._sender.provider, self._clock.now())
        message = OutgoingMessage(key=delivery.id, address=delivery.address or "", text=text)
        try:
            receipt = await self._call(delivery, message)
        except (SchoolOSError, TimeoutError) as error:
            self._post(trial.failed(error, self._policy.retry, self._clock.now()))
        except Exception as error:  # the edge of the loop: one message must not stop the others
            log.exception("sending_broke", delivery_id=str(delivery.id), channel=self.channel)
            unknown = Unavailable(f"the adapter broke: {type(error).__name__}")
            self._post(trial.failed(unknown, self._policy.retry, self._clock.now()))
        else:
            self._post(trial.sent(receipt, self._clock.now()))

    async def _call(self, delivery: Delivery, message: OutgoingMessage) -> Receipt:
        with span(
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


def _render(
    templates: Templates, delivery: Delivery, trial: Try, post: Callable[[Attempt], None], clock: Clock
) -> Text | None:
    try:
        return templates.render(delivery.event_type, delivery.channel, delivery.language, delivery.content)
    except InvalidInput as error:
        post(trial.failed(error, RetryPolicy(), clock.now()))
        return None
