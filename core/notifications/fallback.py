"""What is lost on one channel goes on by the next of the guardian's order (C-14)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from core.clock import Clock
from core.errors import SchoolOSError
from core.ids import SchoolId
from core.notifications import fallback_store, spend_store
from core.notifications.fallback_store import Ways
from core.notifications.message_rules import MessageRules, message_rules
from core.notifications.model import Channel, Reason
from core.notifications.preferences import EVENT_TYPES
from core.notifications.quiet_hours import lane_of, timings
from core.notifications.sms.budget import Month, left
from core.notifications.sms.pricing import SmsRules
from core.notifications.spend_plan import SchoolSms, school_sms
from core.ports import Database, Transaction
from core.telemetry import get_logger

log = get_logger("notifications")

WORTH_ANOTHER = frozenset(Reason) - {
    Reason.HELD_BACK, Reason.QUIET_HOURS, Reason.WITH_SIBLING, Reason.OPTED_OUT, Reason.INACTIVE,
    Reason.UNRENDERABLE, Reason.IN_DOUBT,
}  # fmt: skip
"""Reasons that lie in the channel. What can't be worded can't be by another; what may have left is not told twice."""

_NEWS_FOR = timedelta(days=2)
"""What is older is no news any more by the time another channel tells it."""
_SCHOOLS = 50
_BATCH = 500
_LIKELY_SEGMENTS = 2


class FallBack:
    """Looks for losses and hands them to the next channel, each once, however many workers look."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        channels: frozenset[Channel],
        wake: Callable[[], None] = lambda: None,
        *,
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        """Take the channels that have a provider, and whom to tell that deliveries are due."""
        self._db = db
        self._clock = clock
        self._channels = channels
        self._wake = wake
        self._every = every

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                more = await self.look() > 0
            except SchoolOSError as error:
                more = False
                log.warning("fallback_failed", error=error.message)
            if not more:
                await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> int:
        """Give every loss to the next channel; return how many were looked at."""
        async with self._db.dispatch() as tx:
            schools = await fallback_store.schools(tx, limit=_SCHOOLS)
        return sum([await self._look_in(school) for school in schools])

    async def _look_in(self, school: SchoolId) -> int:
        now = self._clock.now()
        async with self._db.tenant(school) as tx:
            ways = await self._ways(tx, now)
            lost, fell_back = await fallback_store.fall_back(tx, ways, now=now, news_for=_NEWS_FOR, limit=_BATCH)
        if fell_back:
            log.info("deliveries_fell_back", lost=lost, fell_back=fell_back)
            self._wake()
        return lost

    async def _ways(self, tx: Transaction, now: datetime) -> Ways:
        rules, sms = await message_rules(tx), await school_sms(tx)
        leaving = {kind: timings(rules.policy, kind, rules.zone, now, held=False).items() for kind in EVENT_TYPES}
        return Ways(
            channels=self._channels,
            reasons=sorted(WORTH_ANOTHER),
            timings={kind: {way: timing.as_json() for way, timing in each} for kind, each in leaving.items()},
            zone=rules.zone,
            sms_rules={kind: _rules_of(kind, rules, sms).as_json() for kind in EVENT_TYPES},
            sms_cost_kobo=_LIKELY_SEGMENTS * sms.rules.price() if sms.budget else None,
            sms_types=EVENT_TYPES if await _is_left(tx, sms, now) else rules.policy.urgent,
            promotional=rules.policy.promotional,
            lanes={kind: lane_of(rules.policy, kind) for kind in EVENT_TYPES},
        )


def _rules_of(kind: str, rules: MessageRules, sms: SchoolSms) -> SmsRules:
    return sms.rules.of_kind(promotional=kind in rules.policy.promotional)


async def _is_left(tx: Transaction, sms: SchoolSms, now: datetime) -> bool:
    if sms.budget is None:
        return True
    await spend_store.take_turn(tx)
    return left(sms.budget, await spend_store.use(tx, Month.at(now, sms.time_zone).first)) > 0
