"""When a message leaves: after the window in which others may join it, not at night, and in which lane."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.events.types import FeeReminder, ReportsPublished
from core.notifications.model import Channel, Lane, Reason
from core.school.policies import NotificationPolicy

AT_ONCE = NotificationPolicy(hold_back_minutes=0, quiet_hours=None)
"""What holds for a school that has settled nothing."""

_TO_A_WHOLE_SCHOOL = frozenset({FeeReminder.event_type, ReportsPublished.event_type})
_BARRED_FROM, _BARRED_TO = time(20), time(8)
"""Nigerian networks carry no promotional SMS in these hours, whatever a school may settle."""


@dataclass(frozen=True, slots=True)
class Night:
    """The hours of a school's day in which nothing that makes a sound is sent; they run over midnight."""

    begins: time
    ends: time
    zone: str

    def until(self, moment: datetime) -> datetime | None:
        """Return the end of the night that a moment lies in, or None. The database's ``quiet_until`` says the same."""
        local = moment.astimezone(ZoneInfo(self.zone))
        if local.time() >= self.begins:
            day = local.date() + timedelta(days=1)
        elif local.time() < self.ends:
            day = local.date()
        else:
            return None
        return datetime.combine(day, self.ends, ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a message leaves by one channel, and why not at once."""

    leaves_at: datetime
    reason: Reason | None
    night: Night | None

    def as_json(self) -> dict[str, Any]:
        """Return the timing as the fan-out's statement reads it."""
        return {
            "at": self.leaves_at.isoformat(),
            "reason": self.reason,
            "quiet_from": self.night.begins.isoformat() if self.night else None,
            "quiet_to": self.night.ends.isoformat() if self.night else None,
        }


def is_held(policy: NotificationPolicy, event_type: str) -> bool:
    """Tell whether messages of a kind wait for others."""
    return policy.hold_back_minutes > 0 and event_type not in policy.urgent


def lane_of(policy: NotificationPolicy, event_type: str) -> Lane:
    """Return the lane of a kind of message: what is urgent by the policy, and what a whole school gets, at its end."""
    if event_type in policy.urgent:
        return Lane.URGENT
    bulk = event_type in policy.promotional or event_type in _TO_A_WHOLE_SCHOOL
    return Lane.BULK if bulk else Lane.NORMAL


def timings(
    policy: NotificationPolicy, event_type: str, zone: str, now: datetime, *, held: bool
) -> Mapping[Channel, Timing]:
    """Return when a message leaves by each channel."""
    window = timedelta(minutes=policy.hold_back_minutes) if held else timedelta()
    nights = {channel: _night(policy, event_type, channel, zone) for channel in Channel}
    return {channel: _timing(night, now, window) for channel, night in nights.items()}


def _timing(night: Night | None, now: datetime, window: timedelta) -> Timing:
    morning = night.until(now + window) if night else None
    if morning:
        return Timing(morning, Reason.QUIET_HOURS, night)
    return Timing(now + window, Reason.HELD_BACK if window else None, night)


def _night(policy: NotificationPolicy, event_type: str, channel: Channel, zone: str) -> Night | None:
    if channel is Channel.PUSH or event_type in policy.urgent:  # the bell makes no sound
        return None
    quiet = policy.quiet_hours
    barred = channel is Channel.SMS and event_type in policy.promotional
    begins = [each for each in (quiet and quiet.from_, _BARRED_FROM if barred else None) if each]
    ends = [each for each in (quiet and quiet.to, _BARRED_TO if barred else None) if each]
    return Night(min(begins), max(ends), zone) if begins else None
