"""When reminders of fees go out: worked out from a policy, a clock and a school's time zone; nothing is remembered."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.school.policies import FeeReminderPolicy


@dataclass(frozen=True, slots=True)
class ReminderDay:
    """A school's day on which reminders go out, and of which fees."""

    day: date
    due_dates: tuple[date, ...]
    """Fees due on one of these are reminded of."""


def reminder_day(policy: FeeReminderPolicy, now: datetime, time_zone: str) -> ReminderDay | None:
    """Return what is due by now in a school, or None before its hour.

    From the hour to the end of the school's day, so that what was missed while nothing ran is caught up the same day
    and not later. A clock that skips the hour (DST) is past it at once; one that repeats it finds the day done.
    """
    local = now.astimezone(ZoneInfo(time_zone))
    if local.hour < policy.at_hour:
        return None
    today = local.date()
    before = {today + timedelta(days=days) for days in policy.days_before}
    after = {today - timedelta(days=days) for days in policy.days_after}
    return ReminderDay(today, tuple(sorted(before | after)))
