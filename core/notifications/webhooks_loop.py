"""The loop that sends webhooks: claims what is due, posts it, writes what became of it. Any number run side by side.

At least once: the attempt is counted with the claim, before anything leaves; what a dead worker held goes out again
under the same ``webhook-id``, by which receivers know what they have.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from opentelemetry.trace import SpanKind, StatusCode

from core.clock import Clock
from core.errors import SchoolOSError, Unavailable
from core.ids import WebhookEndpointId
from core.notifications import webhooks_loop_store as store
from core.notifications.webhooks_lifecycle import Verdict, verdict_on, why_disable
from core.notifications.webhooks_model import DueMessage, WebhookAnswer, WebhookPoster
from core.notifications.webhooks_signing import WebhookSecrets, body_of, headers_of
from core.ports import Database
from core.telemetry import get_logger, span

log = get_logger("notifications")

_AGAIN_AFTER_S = 0.5
_DISABLED_TITLE = "A webhook was switched off"
_WHY = {
    "gone": "Its receiver answers that it wants no more messages (410).",
    "failing": "Its receiver has not taken a message for days.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPolicy:
    """The bounds of one worker."""

    concurrency: int = 20
    of_one_endpoint: int = 4
    """A slow receiver has no more of the worker than this."""
    request_timeout: timedelta = timedelta(seconds=15)
    lease: timedelta = timedelta(seconds=45)
    poll: timedelta = timedelta(seconds=1)


class WebhookLoop:
    """Sends until stopped."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        poster: WebhookPoster,
        secrets: WebhookSecrets,
        *,
        worker: str,
        policy: WebhookPolicy | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._poster = poster
        self._secrets = secrets
        self._worker = worker
        self._policy = policy or WebhookPolicy()
        self._woken = asyncio.Event()
        self._busy: Counter[WebhookEndpointId] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self.sent = 0

    async def start(self) -> None:
        """Begin to send."""
        self._loops = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._release_loop())]

    def wake(self) -> None:
        """Tell the loop that something has just become due."""
        self._woken.set()

    async def stop(self, deadline_s: float) -> None:
        """Claim no more, finish what is under way within the deadline, and give back the rest."""
        await _cancel(self._loops)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=deadline_s)
        await _cancel(list(self._under_way))
        try:
            async with self._db.dispatch() as tx:
                await store.release(tx, self._clock.now(), self._worker)
        except SchoolOSError as error:  # the leases run out by themselves
            log.warning("webhooks_not_given_back", error=error.message)

    def gauges(self) -> dict[str, float]:
        """Return what is under way and was sent. Raises what ended a part of the loop, where one has ended."""
        for task in self._loops:
            if task.done() and not task.cancelled():
                task.result()
        return {"webhooks_under_way": len(self._under_way), "webhooks_sent": self.sent}

    async def _claim_loop(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._claim()
            except SchoolOSError as error:
                log.warning("webhooks_not_claimed", error=error.message)
                await asyncio.sleep(_AGAIN_AFTER_S)
            try:
                async with asyncio.timeout(self._policy.poll.total_seconds()):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim(self) -> None:
        policy, room = self._policy, self._policy.concurrency - len(self._under_way)
        if room <= 0:
            return
        async with self._db.dispatch() as tx:
            due = await store.claim_due(
                tx,
                busy=list(self._busy),
                of_one=policy.of_one_endpoint,
                room=room,
                worker=self._worker,
                now=self._clock.now(),
                lease=policy.lease,
            )
        for message in due:
            self._busy[message.endpoint_id] += 1
            task = asyncio.create_task(self._send(message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _release_loop(self) -> None:
        while True:
            try:
                async with self._db.dispatch() as tx:
                    if released := await store.release(tx, self._clock.now()):
                        log.warning("webhook_leases_expired", count=released)
                        self.wake()
            except SchoolOSError as error:
                log.warning("webhooks_not_released", error=error.message)
            await asyncio.sleep(self._policy.lease.total_seconds() / 5)

    async def _send(self, message: DueMessage) -> None:
        began = self._clock.now()
        try:
            ended = await self._posted(message)
            # A tenth to either side: endpoints that failed together don't come back together.
            spread = random.uniform(0.9, 1.1)  # noqa: S311 - no secret hangs on it
            await self._record(message, verdict_on(message, ended, self._clock.now(), spread), began)
        except SchoolOSError as error:  # the lease runs out, and it goes out again under the same id
            log.warning("webhook_not_recorded", message_id=str(message.id), error=error.message)
        finally:
            self._busy[message.endpoint_id] -= 1
            self._busy += Counter()  # forgets those at zero
            self.wake()

    async def _posted(self, message: DueMessage) -> WebhookAnswer | SchoolOSError | TimeoutError:
        now = self._clock.now()
        body = body_of(message.event_type, message.occurred_at, message.data)
        headers = headers_of(message.webhook_id, now, body, self._secrets_of(message))
        with span(
            "deliver-webhook", message.traceparent, SpanKind.CLIENT, message_id=str(message.id), attempt=message.number
        ) as under_way:
            try:
                async with asyncio.timeout(self._policy.request_timeout.total_seconds()):
                    return await self._poster.post(message.url, headers, body)
            except (SchoolOSError, TimeoutError) as error:
                under_way.set_status(StatusCode.ERROR)
                return error
            except Exception as error:  # the edge of the loop: one receiver must not stop the others
                log.exception("webhook_broke", message_id=str(message.id))
                return Unavailable(f"the request broke: {type(error).__name__}")

    def _secrets_of(self, message: DueMessage) -> list[str]:
        overlaps = message.previous_until is not None and self._clock.now() < message.previous_until
        generations = [message.generation, *([message.generation - 1] if overlaps else [])]
        return [self._secrets.secret(message.school_id, message.endpoint_id, each) for each in generations]

    async def _record(self, message: DueMessage, verdict: Verdict, began: datetime) -> None:
        now = self._clock.now()
        async with self._db.tenant(message.school_id) as tx:
            since = await store.record(tx, message, verdict, worker=self._worker, began=began, now=now)
            reason = why_disable(verdict, since, now)
            if reason:
                body = f"{message.url}: {_WHY[reason]} Mend it there and switch it on again."
                await store.disable(tx, message.endpoint_id, reason=reason, title=_DISABLED_TITLE, body=body, now=now)
        self.sent += verdict.good
        log.info("webhook_attempted", message_id=str(message.id), outcome=verdict.outcome, status=verdict.status)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
