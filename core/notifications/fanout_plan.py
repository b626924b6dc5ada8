"""What the fan-out of an event goes by: channels, money, time, and the school's own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.notifications.announcement import Announcement
from core.notifications.message_rules import MessageRules
from core.notifications.model import Channel, Lane
from core.notifications.quiet_hours import Timing, is_held, lane_of, timings
from core.notifications.spend_plan import SmsPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutPlan:
    """What holds for every message of an event."""

    channels: frozenset[Channel]
    """Those with a provider."""
    sms: SmsPlan
    held: bool
    """Whether it waits for others to join, or joins one that waits."""
    topic: str
    """What may be told together: '' for everything of the event's type, else one sheet."""
    timings: Mapping[Channel, Timing]
    zone: str
    promotional: bool
    lane: Lane
    words: Mapping[str, Mapping[str, str]]
    """The school's own templates: language -> channel -> text."""


def plan_of(
    announcement: Announcement,
    event_type: str,
    *,
    rules: MessageRules,
    sms: SmsPlan,
    channels: frozenset[Channel],
    now: datetime,
) -> FanOutPlan:
    """Return what holds for every message of an event."""
    entry = announcement.entry
    held = entry is not None and is_held(rules.policy, event_type)
    return FanOutPlan(
        channels=channels,
        sms=sms,
        held=held,
        topic="" if entry is None or rules.policy.digest else entry.key,
        timings=timings(rules.policy, event_type, rules.zone, now, held=held),
        zone=rules.zone,
        promotional=event_type in rules.policy.promotional,
        lane=lane_of(rules.policy, event_type),
        words=rules.words_for(event_type),
    )
