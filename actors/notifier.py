"""One worker of the notifier pool: takes events from the stream and delivers what they tell."""

import asyncio
from collections.abc import Mapping
from time import monotonic

from core.errors import SchoolOSError
from core.events.consumer import EventConsumer
from core.notifications.delivering import DeliveryLoop
from core.notifications.fallback import FallBack
from core.telemetry import get_logger

log = get_logger("notifications")


class Notifier:
    """A consumer of events, a delivery loop and the look for lost messages side by side.

    All their state is in the stream and the database.
    """

    def __init__(self, consumer: EventConsumer, delivery: DeliveryLoop, fall_back: FallBack) -> None:
        self._consumer = consumer
        self._delivery = delivery
        self._fall_back = fall_back
        self._consuming: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to consume and deliver."""
        await self._delivery.start()
        self._consuming = asyncio.create_task(self._consumer.run())
        self._looking = asyncio.create_task(self._fall_back.run())

    async def ping(self) -> Mapping[str, float]:
        """Return the worker's gauges. Raises what ended a part of it, so that the pool replaces it."""
        for task in (self._consuming, self._looking):
            if task is not None and task.done():
                task.result()
        try:
            gauges = await self._delivery.gauges()
        except SchoolOSError as error:  # the database is away, which a new worker would not mend
            log.warning("gauges_unknown", error=error.message)
            gauges = {"under_way": self._delivery.under_way}
        return {**gauges, "events_handled": self._consumer.handled}

    async def drain(self, deadline_s: float) -> None:
        """Stop taking in, finish what is under way, and give the rest back for others to deliver."""
        until = monotonic() + deadline_s
        self._consumer.stop()
        if self._looking is not None:
            self._looking.cancel()
        if self._consuming is not None:
            # Half of the time at most: an event that is cut off is delivered again, a message would be in doubt.
            await asyncio.wait({self._consuming}, timeout=deadline_s / 2)
            self._consuming.cancel()
        await self._delivery.stop(max(0.0, until - monotonic()))
