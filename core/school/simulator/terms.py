"""When school is: three sessions of three terms that end with the session of a given day."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

SESSIONS = 3
TERM_NAMES = ("First Term", "Second Term", "Third Term")
_STARTS = ((9, 8, 13), (1, 6, 12), (4, 22, 12))
"""Month and first possible day of a term's first Monday, and its weeks; the first is a second Monday of September."""
_HOLIDAYS = ((10, 1), (12, 25), (12, 26), (1, 1), (5, 1), (6, 12))
"""Public holidays of Nigeria with a fixed date. Those by the moon are announced days before and left out."""


@dataclass(frozen=True)
class Term:
    """One term. ``number`` counts over all sessions from 0."""

    number: int
    starts_on: date
    ends_on: date

    @property
    def session(self) -> int:
        """Which session, from 0."""
        return self.number // 3

    @property
    def number_in_session(self) -> int:
        """1, 2 or 3."""
        return self.number % 3 + 1

    @property
    def name(self) -> str:
        """What people call it."""
        return TERM_NAMES[self.number % 3]

    @cached_property
    def school_days(self) -> tuple[date, ...]:
        """Weekdays that are no public holiday and not in the two days of mid-term break."""
        break_starts = self.starts_on + timedelta(days=6 * 7 + 3)
        days = (self.starts_on + timedelta(days=n) for n in range((self.ends_on - self.starts_on).days + 1))
        return tuple(
            day
            for day in days
            if day.weekday() < 5 and (day.month, day.day) not in _HOLIDAYS and not 0 <= (day - break_starts).days <= 1
        )


@dataclass(frozen=True)
class Calendar:
    """Three sessions; ``first_year`` 2025 gives 2025/2026, 2026/2027 and 2027/2028."""

    first_year: int
    current: int
    """Number of the term that has begun last."""

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """All nine terms, also those still to come."""
        return tuple(_term(self.first_year, number) for number in range(SESSIONS * 3))

    def session_name(self, session: int) -> str:
        """``2027/2028``."""
        return f"{self.first_year + session}/{self.first_year + session + 1}"


def calendar_for(today: date) -> Calendar:
    """Return the calendar whose last session is the one of today, or the last to have begun."""
    year = today.year if today >= _term(today.year, 0).starts_on else today.year - 1
    begun = sum(1 for number in range(3) if _term(year, number).starts_on <= today)
    return Calendar(year - SESSIONS + 1, (SESSIONS - 1) * 3 + max(begun, 1) - 1)


def _term(first_year: int, number: int) -> Term:
    month, day, weeks = _STARTS[number % 3]
    year = first_year + number // 3 + (0 if number % 3 == 0 else 1)
    earliest = date(year, month, day)
    start = earliest + timedelta(days=-earliest.weekday() % 7)
    return Term(number, start, start + timedelta(days=7 * weeks - 3))
