"""The requests of one channel under way at its provider: each ends as a verdict, whatever becomes of it."""

import asyncio
from collections.abc import Callable, Sequence

from opentelemetry.trace import SpanKind, StatusCode

from core.clock import Clock
from core.errors import SchoolOSError, TooMany, Unavailable
from core.notifications.lane import DeliveryPolicy, Slots
from core.notifications.lifecycle import Try
from core.notifications.limits import Gate
from core.notifications.model import Attempt, Channel, Delivery, OutgoingMessage, Receipt, Text
from core.notifications.ports import MessageSender
from core.notifications.sms.message import bill_of
from core.ports import Database
from core.telemetry import get_logger, span_if_kept

log = get_logger("notifications")


class Outside:
    """What an outlet works with: the provider, its limit, the slots it shares, and where verdicts go."""

    def __init__(
        self,
        channel: Channel,
        sender: MessageSender,
        slots: Slots,
        gate: Gate,
        *,
        db: Database,
        clock: Clock,
        policy: DeliveryPolicy,
        worker: str,
        post: Callable[[Attempt], None],
    ) -> None:
        self.channel = channel
        self.sender = sender
        self.slots = slots
        self.gate = gate
        self.db = db
        self.clock = clock
        self.policy = policy
        self.worker = worker
        self.post = post

    def begun(self, delivery: Delivery) -> Try:
        """Return an attempt that begins now."""
        return Try(delivery, self.sender.provider, self.clock.now())

    async def permitted(self, deliveries: Sequence[Delivery], moments: Sequence[float] = ()) -> Sequence[float]:
        """Return permits of now for deliveries that are marked as being sent; those that have not lapsed stay.

        Where they can't be had, nothing leaves, and the log says so.
        """
        try:
            async with asyncio.timeout(self.policy.request_timeout.total_seconds() / 4):
                return await self.gate.renewed(moments[: len(deliveries)], len(deliveries))
        except (Unavailable, TimeoutError):
            for delivery in deliveries:
                self.post(self.begun(delivery).failed(_no_permit(), self.policy.retry, self.clock.now()))
            return ()


class Requests:
    """Begins requests and waits for them; their owner has taken a slot for each, and is told when it ends."""

    def __init__(self, outside: Outside, ended: Callable[[int], None]) -> None:
        self._outside = outside
        self._ended = ended
        self._under_way: set[asyncio.Task[None]] = set()
        self._timeout_s = outside.policy.request_timeout.total_seconds()
        self._span = f"deliver-{outside.channel}"

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self, delivery: Delivery, text: Text, moment: float) -> None:
        """Send a delivery that is marked as being sent, at its permit's moment."""
        task = asyncio.create_task(self._send(delivery, text, moment))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    async def finished(self) -> None:
        """Return when every request under way has ended."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def abandon(self) -> None:
        """Stop the requests under way; after their lease they are in doubt."""
        for task in self._under_way:
            task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._ended(1)

    async def _send(self, delivery: Delivery, text: Text, moment: float) -> None:
        outside = self._outside
        trial = outside.begun(delivery)
        try:
            if not outside.gate.is_open(moment):
                await self._until(moment)
            message = OutgoingMessage(delivery.key, delivery.address or "", text, delivery.is_promotional)
            receipt = await self._call(delivery, message)
        except (SchoolOSError, TimeoutError) as error:
            outside.post(self._failed(trial, error))
        except Exception as error:  # the edge of the loop: one message must not stop the others
            log.exception("sending_broke", delivery_id=str(delivery.id), channel=outside.channel)
            outside.post(self._failed(trial, Unavailable(f"the adapter broke: {type(error).__name__}")))
        else:
            bill = bill_of(delivery, text, receipt, trial.provider) if text.segments else None
            outside.post(trial.sent(receipt, outside.clock.now(), bill))

    def _failed(self, trial: Try, error: SchoolOSError | TimeoutError) -> Attempt:
        outside, delivery = self._outside, trial.delivery
        may_repeat = outside.policy.may_repeat(delivery.channel, delivery.event_type)
        return trial.failed(error, outside.policy.retry, outside.clock.now(), may_repeat=may_repeat)

    async def _until(self, moment: float) -> None:
        """Wait for a permit's moment. Raises ``TooMany`` where it can't be had: then certainly nothing has left."""
        try:
            async with asyncio.timeout(self._timeout_s / 4):
                await self._outside.gate.enter(moment)
        except (Unavailable, TimeoutError) as error:
            raise _no_permit() from error

    async def _call(self, delivery: Delivery, message: OutgoingMessage) -> Receipt:
        sender = self._outside.sender
        with span_if_kept(
            self._span,
            delivery.traceparent,
            SpanKind.CLIENT,
            delivery_id=str(delivery.id),
            provider=sender.provider,
            attempt=delivery.attempts + 1,
        ) as under_way:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await sender.send(message)
            except (SchoolOSError, TimeoutError):
                under_way.set_status(StatusCode.ERROR)
                raise


def _no_permit() -> TooMany:
    return TooMany("no permit of the rate limit could be had", 1.0)
