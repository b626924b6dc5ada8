"""A school's monthly SMS budget: which month it is there, what is left, and what the month will come to."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.clock import local_date
from core.money import Kobo
from core.school.policies import SmsBudgetPolicy

_SOON = timedelta(days=1)
"""A forecast from less than a day would multiply one morning by thirty."""


class Standing(StrEnum):
    """How a month's budget stands."""

    OPEN = "open"
    WARNING = "warning"
    USED_UP = "used_up"


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a school's calendar."""

    first: date
    starts_at: datetime
    """In UTC, as is the end."""
    ends_at: datetime

    @classmethod
    def of(cls, first: date, zone: str) -> "Month":
        """Return the month that begins on a day, as the clocks of a zone tell it."""
        following = (first.replace(day=1) + timedelta(days=31)).replace(day=1)
        return cls(first, _midnight(first, zone), _midnight(following, zone))

    @classmethod
    def at(cls, moment: datetime, zone: str) -> "Month":
        """Return the month a moment lies in, as the clocks of a zone tell it."""
        return cls.of(local_date(moment, zone).replace(day=1), zone)

    def forecast(self, spent: Kobo, now: datetime) -> Kobo:
        """Return what the month will come to if it goes on as it began; a past month came to what was spent."""
        if now >= self.ends_at:
            return spent
        gone = max(now - self.starts_at, _SOON)
        return Kobo(round(spent * ((self.ends_at - self.starts_at) / gone)))


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Use:
    """What of a month's budget is gone: spent, or promised to messages on their way."""

    spent_kobo: int
    reserved_kobo: int

    @property
    def total_kobo(self) -> Kobo:
        """Spent and promised together."""
        return Kobo(self.spent_kobo + self.reserved_kobo)


def left(policy: SmsBudgetPolicy, use: Use) -> Kobo:
    """Return what may still be promised; never less than nothing."""
    return Kobo(max(0, policy.monthly_kobo - use.total_kobo))


def standing(policy: SmsBudgetPolicy, use: Use) -> Standing:
    """Return how a budget stands."""
    if use.total_kobo >= policy.monthly_kobo:
        return Standing.USED_UP
    warned = use.total_kobo * 100 >= policy.monthly_kobo * policy.warn_at_percent
    return Standing.WARNING if warned else Standing.OPEN
