"""Gathers the verdicts of attempts and writes them in batches."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from prometheus_client import Histogram

from core.errors import SchoolOSError
from core.notifications import delivery_store
from core.notifications.model import Attempt, Channel, State
from core.ports import Database
from core.telemetry import (
    NOTIFICATION_DELIVERY_DURATION,
    NOTIFICATION_LATENCY,
    NOTIFICATIONS_SENT,
    get_logger,
)

log = get_logger("notifications")

_LINGER_S = 0.005
"""How long the first verdict waits for company: one statement for hundreds instead of one for each."""
_BATCH = 500
_AGAIN_AFTER_S = 0.5
"""While the database does not answer. The leases go on running: what is written too late does not count."""


class Recorder:
    """Writes verdicts, log and bell, and tells whoever waits for room."""

    def __init__(self, db: Database, worker: str, recorded: Callable[[Sequence[Attempt]], None]) -> None:
        self._db = db
        self._worker = worker
        self._recorded = recorded
        self._waiting: list[Attempt] = []
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def post(self, attempt: Attempt) -> None:
        """Take a verdict to be written soon."""
        self._waiting.append(attempt)
        self._none.clear()
        self._some.set()

    async def run(self) -> None:
        """Write what comes until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(_LINGER_S)
            try:
                await self._write()
            except SchoolOSError as error:
                log.warning("verdicts_not_written", waiting=len(self._waiting), error=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)

    async def flushed(self) -> None:
        """Return when every verdict taken so far is written."""
        await self._none.wait()

    async def _write(self) -> None:
        batch = self._waiting[:_BATCH]
        async with self._db.dispatch() as tx:
            counted = await delivery_store.record(tx, batch, worker=self._worker)
        del self._waiting[: len(batch)]
        if not self._waiting:
            self._some.clear()
            self._none.set()
        _measure([attempt for attempt in batch if attempt.delivery.id in counted])
        if len(counted) < len(batch):
            log.warning("verdicts_too_late", count=len(batch) - len(counted))
        self._recorded(batch)


def _measure(attempts: Sequence[Attempt]) -> None:
    ends = Counter((each.delivery.channel, each.delivery.event_type, each.outcome) for each in attempts)
    for (channel, event_type, outcome), count in ends.items():
        NOTIFICATIONS_SENT.labels(channel, event_type, outcome).inc(count)
    for attempt in attempts:
        delivery = attempt.delivery
        took, latency = _figures_of(delivery.channel)
        took.observe((attempt.finished_at - attempt.started_at).total_seconds())
        if attempt.state is State.SENT:
            latency.observe((attempt.finished_at - delivery.occurred_at).total_seconds())
        elif attempt.state is State.DEAD:
            log.warning(
                "delivery_died", delivery_id=str(delivery.id), channel=delivery.channel, reason=attempt.reason,
                attempts=delivery.number,
            )  # fmt: skip


@cache
def _figures_of(channel: Channel) -> tuple[Histogram, Histogram]:
    return NOTIFICATION_DELIVERY_DURATION.labels(channel), NOTIFICATION_LATENCY.labels(channel)
