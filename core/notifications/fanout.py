"""The handler of events: what happened becomes one delivery for each recipient, student and channel."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime

from core.clock import Clock
from core.events.envelope import Event
from core.events.outbox import claim_handling
from core.events.types import TimetablePublished, payload_of
from core.notifications import fanout_store
from core.notifications.announcement import announcement_of
from core.notifications.fanout_plan import plan_of
from core.notifications.message_rules import MessageRules, message_rules
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.spend_plan import SmsPlan, plan_sms
from core.ports import Database, Transaction
from core.telemetry import current_traceparent, get_logger, span

log = get_logger("notifications")


class FanOut:
    """Turns events into deliveries, in the school's own scope, each event once."""

    def __init__(
        self, db: Database, clock: Clock, channels: frozenset[Channel], wake: Callable[[], None] = lambda: None
    ) -> None:
        """Take the channels that have a provider, and whom to tell that deliveries are due."""
        self._db = db
        self._clock = clock
        self._channels = channels
        self._wake = wake
        self._templates = Templates()

    async def __call__(self, event: Event) -> None:
        """Write an event's deliveries, once. Raises ``InvalidInput`` for an event that can't be understood."""
        payload = payload_of(event)
        if isinstance(payload, TimetablePublished):  # other systems hear of it, people don't
            async with self._db.tenant(event.school_id) as tx:
                await claim_handling(tx, event.id)
            return
        announcement = announcement_of(payload)
        name = "handle-" + event.type.replace(".", "-")  # P4-03: handle-scores-published
        with span(
            name, event.traceparent, event_id=str(event.id), student_count=len(announcement.students)
        ) as under_way:
            # The providers' calls hang under this span, so that the trace's chain is whole (P4-05).
            traced = replace(event, traceparent=current_traceparent() or event.traceparent)
            async with self._db.tenant(event.school_id) as tx:
                if not await claim_handling(tx, event.id):
                    log.info("event_handled_before", event_id=str(event.id), event_type=event.type)
                    return
                now, rules = self._clock.now(), await message_rules(tx)
                plan = plan_of(
                    announcement,
                    event.type,
                    rules=rules,
                    sms=await self._sms_plan(tx, rules, event.type, announcement.facts, now),
                    channels=self._channels,
                    now=now,
                )
                made = asdict(await fanout_store.fan_out(tx, traced, announcement, plan, now))
            under_way.set_attributes(made)
        log.info("event_fanned_out", event_id=str(event.id), event_type=event.type, **made)
        self._wake()

    async def _sms_plan(
        self, tx: Transaction, rules: MessageRules, event_type: str, facts: Mapping[str, str], now: datetime
    ) -> SmsPlan:
        if Channel.SMS not in self._channels:
            return SmsPlan()
        return await plan_sms(tx, self._templates, event_type, facts, rules=rules, now=now)
