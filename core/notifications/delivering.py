"""The loop that delivers: claims what is due, hands it to the channels, writes what became of it.

Nothing sleeps here to wait for a retry: a retry is a row with a time. Any number of workers run beside each other.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic

from core.clock import Clock
from core.errors import SchoolOSError
from core.notifications import delivery_store, report_store
from core.notifications.lane import DeliveryPolicy, Slots
from core.notifications.limits import Gate, RateLimiter, Unlimited
from core.notifications.model import Attempt, Channel, Delivery, Lane
from core.notifications.outlets import Outlet, count_by_channel, outlet_of
from core.notifications.ports import MessageSender
from core.notifications.recorder import Recorder
from core.notifications.rendering import Templates
from core.notifications.requesting import Outside
from core.notifications.ringing import BellRinger
from core.ports import Database
from core.telemetry import DEAD_LETTERS, get_logger

log = get_logger("notifications")

_AGAIN_AFTER_S = 0.5

Place = tuple[Channel, Lane]


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
        self._stirred = asyncio.Event()
        self._recorder = Recorder(db, worker, self._recorded)
        templates = templates or Templates()
        slots = Slots(policy.concurrency, max(1, len(senders)))
        limits = limits or {}
        self._outlets: dict[Channel, Outlet] = {}
        for channel, sender in senders.items():
            outside = Outside(
                channel, sender, slots, Gate(limits.get(channel, Unlimited())), db=db, clock=clock, policy=policy,
                worker=worker, post=self._recorder.post,
            )  # fmt: skip
            self._outlets[channel] = outlet_of(outside, templates, self._stirred.set)
        self._bell = BellRinger(db, clock, templates, policy, worker)
        self._dry_until: dict[Place, float] = {}
        """Where nothing more was due, and until when that is believed."""
        self._stopping = False
        self._claiming: asyncio.Task[None] | None = None
        self._intake: list[asyncio.Task[None]] = []
        self._sending: list[asyncio.Task[None]] = []
        self._recording: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to deliver."""
        self._recording = asyncio.create_task(self._recorder.run())
        self._sending = [asyncio.create_task(outlet.run()) for outlet in self._outlets.values()]
        self._intake = [asyncio.create_task(self._bell.run()), asyncio.create_task(self._release_loop())]
        self._claiming = asyncio.create_task(self._claim_loop())

    def wake(self) -> None:
        """Tell the loop that deliveries have just become due."""
        self._dry_until.clear()
        self._stirred.set()
        self._bell.wake()

    async def stop(self, deadline_s: float) -> None:
        """Stop taking, finish what is under way within the deadline, and give back the rest."""
        until = monotonic() + deadline_s
        await self._stop_claiming(deadline_s / 2)
        for outlet in self._outlets.values():
            outlet.close()
        try:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                await asyncio.gather(*self._sending, return_exceptions=True)
                for outlet in self._outlets.values():
                    await outlet.finished()
                await self._recorder.flushed()
        except TimeoutError:
            log.warning("drain_ran_out_of_time", under_way=self.under_way)
            for outlet in self._outlets.values():
                outlet.abandon()
        await _cancel([*self._sending, *([self._recording] if self._recording else [])])
        await self._give_back()

    async def _stop_claiming(self, deadline_s: float) -> None:
        """Let a claim under way end: cut off, it might have marked as being sent what nobody sends."""
        self._stopping = True
        self._stirred.set()
        await _cancel(self._intake)
        if self._claiming is not None:
            await asyncio.wait({self._claiming}, timeout=deadline_s)
            await _cancel([self._claiming])

    async def _give_back(self) -> None:
        try:
            async with self._db.dispatch() as tx:
                given_back = await delivery_store.give_back(tx, worker=self._worker, now=self._clock.now())
            log.info("delivery_stopped", given_back=given_back)
        except SchoolOSError as error:  # the leases run out by themselves
            log.warning("claims_not_given_back", error=error.message)

    @property
    def under_way(self) -> int:
        """How many requests are at the providers now."""
        return sum(outlet.under_way for outlet in self._outlets.values())

    @property
    def _tasks(self) -> Sequence[asyncio.Task[None]]:
        others = [task for task in (self._claiming, self._recording) if task is not None]
        return [*self._intake, *self._sending, *others]

    async def gauges(self) -> dict[str, float]:
        """Return what is due, under way and dead. Raises what ended a part of the loop, where one has ended."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        async with self._db.dispatch() as tx:
            due = sum((await delivery_store.count_due(tx, self._clock.now())).values())
            dead = await delivery_store.count_dead(tx)
        DEAD_LETTERS.set(dead)
        return {"due": due, "under_way": self.under_way, "dead": dead}

    async def _claim_loop(self) -> None:
        while not self._stopping:
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
        ready = [(channel, outlet) for channel, outlet in self._outlets.items() if await outlet.is_ready()]
        at = monotonic()
        room = {
            (channel, lane): room
            for channel, outlet in ready
            for lane, room in outlet.rooms(self._maybe_due(channel, at)).items()
        }
        if not room:
            return
        # Before the claim: who wakes the loop while it is under way must not be forgotten.
        dry_until = at + self._policy.poll.total_seconds()
        self._dry_until.update(dict.fromkeys(room, dry_until))
        outlets = {channel: self._outlets[channel] for channel, _ in room}
        direct = {channel: outlet.reserved for channel, outlet in outlets.items() if outlet.reserved is not None}
        claimed: Sequence[Delivery] = ()
        try:
            async with self._db.dispatch() as tx:
                batch = await delivery_store.claim_due(
                    tx, room, worker=self._worker, now=self._clock.now(), lease=self._policy.lease, direct=direct
                )
            claimed = batch
        finally:  # where the claim failed, what was kept free for it is given up
            for channel, outlet in outlets.items():
                outlet.take([each for each in claimed if each.channel is channel])
        self._expect_more(room, direct, Counter([(each.channel, each.lane) for each in claimed]))

    def _expect_more(self, room: Mapping[Place, int], direct: Mapping[Channel, int], taken: Counter[Place]) -> None:
        """Note where more may be due: in lanes that gave all that was asked for, or whose channel was full."""
        by_channel = Counter[Channel]()
        for (channel, _), count in taken.items():
            by_channel[channel] += count
        for (channel, lane), most in room.items():
            if taken[channel, lane] >= most or by_channel[channel] >= direct.get(channel, math.inf):
                self._dry_until.pop((channel, lane), None)

    def _maybe_due(self, channel: Channel, at: float) -> Sequence[Lane]:
        return [lane for lane in Lane if self._dry_until.get((channel, lane), 0.0) <= at]

    async def _release_loop(self) -> None:
        """Bring back what dead workers held, and match receipts that came early. Locked rows are another's."""
        while True:
            try:
                async with self._db.dispatch() as tx:
                    unsent, in_doubt = await delivery_store.release_expired(
                        tx,
                        now=self._clock.now(),
                        keyed=self._policy.keyed,
                        at_most_once=self._policy.at_most_once,
                    )
                    matched = await report_store.apply_early(tx, self._clock.now())
                if matched:
                    log.info("early_receipts_matched", count=matched)
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
