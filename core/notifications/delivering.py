"""The loop that delivers: claims what is due, hands it to the channels, writes what became of it.

Nothing sleeps here to wait for a retry: a retry is a row with a time. Any number of workers run beside each other.
"""

import asyncio
from collections.abc import Mapping, Sequence

from core.clock import Clock
from core.errors import SchoolOSError
from core.notifications import delivery_store
from core.notifications.lane import BellLane, DeliveryPolicy, ProviderLane, Slots
from core.notifications.model import Attempt, Channel
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
    ) -> None:
        self._db = db
        self._clock = clock
        self._policy = policy
        self._worker = worker
        self._recorder = Recorder(db, worker, self._recorded)
        templates = templates or Templates()
        slots = Slots(policy.concurrency, max(1, len(senders)))
        post = self._recorder.post
        self._providers = {
            channel: ProviderLane(
                channel, sender, slots, db=db, clock=clock, templates=templates, policy=policy, worker=worker, post=post
            )
            for channel, sender in senders.items()
        }
        self._bell = BellLane(templates, clock, post)
        self._lanes: Mapping[Channel, ProviderLane | BellLane] = {**self._providers, Channel.PUSH: self._bell}
        self._woken = asyncio.Event()
        self._progressed = asyncio.Event()
        self._intake: list[asyncio.Task[None]] = []
        self._sending: list[asyncio.Task[None]] = []
        self._recording: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to deliver."""
        self._recording = asyncio.create_task(self._recorder.run())
        self._sending = [asyncio.create_task(lane.run()) for lane in self._providers.values()]
        self._intake = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._release_loop())]

    def wake(self) -> None:
        """Tell the loop that deliveries have just become due."""
        self._woken.set()

    async def stop(self, deadline_s: float) -> None:
        """Stop taking, finish what is under way within the deadline, and give back the rest."""
        await _cancel(self._intake)
        for lane in self._providers.values():
            lane.close()
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*self._sending, return_exceptions=True)
                for lane in self._providers.values():
                    await lane.finished()
                await self._recorder.flushed()
        except TimeoutError:
            log.warning("drain_ran_out_of_time", under_way=self.under_way)
            for lane in self._providers.values():
                lane.abandon()
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
        return sum(lane.under_way for lane in self._providers.values())

    async def gauges(self) -> dict[str, float]:
        """Return what is due, under way and dead. Raises what ended a part of the loop, where one has ended."""
        for task in (*self._intake, *self._sending, *([self._recording] if self._recording else [])):
            if task.done() and not task.cancelled():
                task.result()
        async with self._db.dispatch() as tx:
            due = await delivery_store.count_due(tx, self._clock.now())
            dead = await delivery_store.count_dead(tx)
        DEAD_LETTERS.set(dead)
        return {"due": due, "under_way": self.under_way, "dead": dead}

    async def _claim_loop(self) -> None:
        while True:
            self._woken.clear()
            self._progressed.clear()
            try:
                more = await self._claim()
            except SchoolOSError as error:
                log.warning("claim_failed", error=str(error))
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            await self._rest(self._progressed if more else self._woken)

    async def _claim(self) -> bool:
        """Fill the lanes; tell whether more may be due than they have room for."""
        # Half-empty lanes only, so that claims come in batches.
        room = {
            channel: lane.capacity - lane.held
            for channel, lane in self._lanes.items()
            if 2 * lane.held <= lane.capacity
        }
        if not room:
            return True
        async with self._db.dispatch() as tx:
            claimed = await delivery_store.claim_due(
                tx, room, worker=self._worker, now=self._clock.now(), lease=self._policy.lease
            )
        for delivery in claimed:
            room[delivery.channel] -= 1
            self._lanes[delivery.channel].take(delivery)
        return len(room) < len(self._lanes) or any(left <= 0 for left in room.values())

    async def _rest(self, until: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._policy.poll.total_seconds()):
                await until.wait()
        except TimeoutError:
            pass

    async def _release_loop(self) -> None:
        """Bring back what dead workers held. Every worker does; locked rows are another's."""
        while True:
            try:
                async with self._db.dispatch() as tx:
                    unsent, in_doubt = await delivery_store.release_expired(tx, now=self._clock.now())
                if unsent or in_doubt:
                    log.warning("leases_expired", unsent=unsent, in_doubt=in_doubt)
                    self.wake()
            except SchoolOSError as error:
                log.warning("release_failed", error=str(error))
            await asyncio.sleep(self._policy.lease.total_seconds() / 5)

    def _recorded(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self._lanes[attempt.delivery.channel].held -= 1
        self._progressed.set()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
