"""The bell: its entries are written together with the end of their deliveries, so that each comes exactly once.

No request is made, so none can be in doubt: a worker that dies between leaves everything as it was.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from core.clock import Clock
from core.errors import InvalidInput, SchoolOSError
from core.notifications import ringing_store
from core.notifications.lane import DeliveryPolicy
from core.notifications.model import Channel, Delivery, Outcome, Reason
from core.notifications.rendering import Templates
from core.notifications.ringing_store import Entry
from core.ports import Database
from core.telemetry import NOTIFICATION_LATENCY, NOTIFICATIONS_SENT, get_logger

log = get_logger("notifications")

_BATCH = 400
"""Of each lane; a transaction of so many takes a few hundredths of a second."""
_AGAIN_AFTER_S = 0.5


class BellRinger:
    """Rings until cancelled. Several beside each other share the work: locked rows are another's."""

    def __init__(self, db: Database, clock: Clock, templates: Templates, policy: DeliveryPolicy, worker: str) -> None:
        self._db = db
        self._clock = clock
        self._templates = templates
        self._poll_s = policy.poll.total_seconds()
        self._worker = worker
        self._stirred = asyncio.Event()

    def wake(self) -> None:
        """Tell it that something has just become due."""
        self._stirred.set()

    async def run(self) -> None:
        """Write what is due, when it is."""
        while True:
            self._stirred.clear()
            try:
                more = await self._ring()
            except SchoolOSError as error:
                log.warning("bell_not_rung", error=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._stirred.wait()

    async def _ring(self) -> bool:
        """Write a batch; return whether more may be due."""
        now = self._clock.now()
        async with self._db.dispatch() as tx:
            ready, quiet = await ringing_store.due(tx, at_most=_BATCH, now=now)
            if quiet:
                await ringing_store.postpone(tx, quiet)
            entries = [self._entry(each) for each in ready]
            if entries:
                await ringing_store.ring(tx, entries, worker=self._worker, now=now)
        _measure(entries, now.timestamp())
        return len(ready) + len(quiet) >= _BATCH

    def _entry(self, delivery: Delivery) -> Entry:
        try:
            text = self._templates.message(delivery)
        except InvalidInput as error:
            log.warning("delivery_died", delivery_id=str(delivery.id), channel=Channel.PUSH, reason=Reason.UNRENDERABLE)
            return Entry(delivery, None, None, Reason.UNRENDERABLE, str(error)[:500])
        return Entry(delivery, text.title, text.body)


def _measure(entries: Sequence[Entry], now_s: float) -> None:
    ends = Counter((each.delivery.event_type, each.title is not None) for each in entries)
    for (event_type, rung), count in ends.items():
        outcome = Outcome.SENT if rung else Outcome.REJECTED
        NOTIFICATIONS_SENT.labels(Channel.PUSH, event_type, outcome).inc(count)
    latency = NOTIFICATION_LATENCY.labels(Channel.PUSH)
    for each in entries:
        if each.title is not None:
            latency.observe(now_s - each.delivery.occurred_at.timestamp())
