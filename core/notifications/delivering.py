"""The loop that delivers: claims what is due, hands it to the channels, writes what became of it.

Nothing sleeps here to wait for a retry: a retry is a row with a time. Any number of workers run beside each other.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic

from core.clock import Clock
from core.errors import SchoolOSError
from core.notifications import delivery_store
from core.notifications.lane import DeliveryPolicy, Slots
from core.notifications.limits import RateLimiter, Unlimited
from core.notifications.model import Attempt, Channel, Lane
from core.notifications.outlets import BellOutlet, Outlet, ProviderOutlet, count_by_channel
from core.notifications.ports import MessageSender
from core.notifications.recorder import Recorder
from core.notifications.rendering import Templates
from core.ports import Database
from core.telemetry import DEAD_LETTERS, get_logger

log = get_logger("notifications")

_AGAIN_AFTER_S = 0.5


class DeliveryLoop:
    """Delivers until stopped."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        senders: Mapping[Channel, MessageSender],
        policy: DeliveryPolicy,
        *,
        worker: str,
        templates: Templates | None = None,
        limits: Mapping[Channel, RateLimiter] | None = None,
    ) -> None:
        """Take the provider of each channel, and the limit of its account where it has one."""
        self._db = db
        self._clock = clock
        self._policy = policy
        self._worker = worker
        self._recorder = Recorder(db, worker, self._recorded)
        templates = templates or Templates()
        slots = Slots(policy.concurrency, max(1, len(senders)))
        limits = limits or {}
        post = self._recorder.post
        self._providers = {
            channel: ProviderOutlet(
                channel, sender, slots, limiter=limits.get(channel, Unlimited()), db=db, clock=clock,
                templates=templates, policy=policy, worker=worker, post=post,
            )
            for channel, sender in senders.items()
        }  # fmt: skip
        bell = BellOutlet(templates, clock, post)
        self._outlets: Mapping[Channel, Outlet] = {**self._providers, Channel.PUSH: bell}
        self._dry_until: dict[tuple[Channel, Lane], float] = {}
        """Where nothing more was due, and until when that is believed."""
        self._stirred = asyncio.Event()
        self._intake: list[asyncio.Task[None]] = []
        self._sending: list[asyncio.Task[None]] = []
        self._recording: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to deliver."""
        self._recording = asyncio.create_task(self._recorder.run())
        self._sending = [asyncio.create_task(outlet.run()) for outlet in self._providers.values()]
        self._intake = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._release_loop())]

    def wake(self) -> None:
        """Tell the loop that deliveries have just become due."""
        self._dry_until.clear()
        self._stirred.set()

    async def stop(self, deadline_s: float) -> None:
        """Stop taking, finish what is under way within the deadline, and give back the rest."""
        await _cancel(self._intake)
        for outlet in self._providers.values():
            outlet.close()
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*self._sending, return_exceptions=True)
                for outlet in self._providers.values():
                    await outlet.finished()
                await self._recorder.flushed()
        except TimeoutError:
            log.warning("drain_ran_out_of_time", under_way=self.under_way)
            for outlet in self._providers.values():
                outlet.abandon()
        await _cancel([*self._sending, *([self._recording] if self._recording else [])])
        try:
            async with self._db.dispatch() as tx:
                given_back = await delivery_store.give_back(tx, worker=self._worker, now=self._clock.now())
            log.info("delivery_stopped", given_back=given_back)
        except SchoolOSError as error:  # the leases run out by themselves
            log.warning("claims_not_given_back", error=error.message)

    @property
    def under_way(self) -> int:
        """How many requests are at the providers now."""
        return sum(outlet.under_way for outlet in self._providers.values())

    async def gauges(self) -> dict[str, float]:
        """Return what is due, under way and dead. Raises what ended a part of the loop, where one has ended."""
        for task in (*self._intake, *self._sending, *([self._recording] if self._recording else [])):
            if task.done() and not task.cancelled():
                task.result()
        async with self._db.dispatch() as tx:
            due = sum((await delivery_store.count_due(tx, self._clock.now())).values())
            dead = await delivery_store.count_dead(tx)
        DEAD_LETTERS.set(dead)
        return {"due": due, "under_way": self.under_way, "dead": dead}

    async def _claim_loop(self) -> None:
        while True:
            self._stirred.clear()
            try:
                await self._claim()
            except SchoolOSError as error:
                log.warning("claim_failed", error=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._policy.poll.total_seconds()):
                    await self._stirred.wait()

    async def _claim(self) -> None:
        """Fill the lanes that have room and may have something due."""
        at = monotonic()
        room = {
            (channel, lane): room
            for channel, outlet in self._outlets.items()
            for lane, room in outlet.rooms().items()
            if self._dry_until.get((channel, lane), 0.0) <= at
        }
        if not room:
            return
        # Before the claim: who wakes the loop while it is under way must not be forgotten.
        dry_until = at + self._policy.poll.total_seconds()
        self._dry_until.update(dict.fromkeys(room, dry_until))
        async with self._db.dispatch() as tx:
            claimed = await delivery_store.claim_due(
                tx, room, worker=self._worker, now=self._clock.now(), lease=self._policy.lease
            )
        for delivery in claimed:
            self._outlets[delivery.channel].take(delivery)
        for place, count in Counter((each.channel, each.lane) for each in claimed).items():
            if count >= room[place]:
                self._dry_until.pop(place, None)

    async def _release_loop(self) -> None:
        """Bring back what dead workers held. Every worker does; locked rows are another's."""
        while True:
            try:
                async with self._db.dispatch() as tx:
                    unsent, in_doubt = await delivery_store.release_expired(
                        tx,
                        now=self._clock.now(),
                        keyed=self._policy.keyed,
                        at_most_once=self._policy.at_most_once,
                    )
                if unsent or in_doubt:
                    log.warning("leases_expired", unsent=unsent, in_doubt=in_doubt)
                    self.wake()
            except SchoolOSError as error:
                log.warning("release_failed", error=str(error))
            await asyncio.sleep(self._policy.lease.total_seconds() / 5)

    def _recorded(self, attempts: Sequence[Attempt]) -> None:
        for channel, count in count_by_channel(attempts).items():
            self._outlets[channel].recorded(count)
        self._stirred.set()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
