"""Which day of the cycle a date is: weekdays by their names, weeks A and B in turn, nothing on holidays."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from core.errors import Fault, InvalidInput
from core.timetable.model import Calendar, Slot

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST = 3
_LONGEST = 400
"""Days that a timetable may hold: a session and a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermDates:
    """When a timetable holds."""

    starts_on: date
    ends_on: date
    time_zone: str
    """As the IANA names it: ``Africa/Lagos``."""
    holidays: frozenset[date] = frozenset()
    first_week: str | None = None
    """The week (``A`` or ``B``) that begins the term, where there are two; the cycle's first one where it is not given.
    Weeks run from Monday and take turns through holidays too."""


def dated(calendar: Calendar, dates: TermDates) -> dict[date, int]:
    """Return the day of the cycle that each date is, in order; dates without lessons are left out.

    Raises ``InvalidInput`` where the dates are no term.
    """
    _require_term(calendar, dates)
    by_week = _days_by_week(calendar)
    names = list(by_week)
    first = names.index(dates.first_week) if dates.first_week is not None else 0
    monday = _monday(dates.starts_on)
    found = {}
    for on in _each(dates.starts_on, dates.ends_on):
        week = names[(first + (_monday(on) - monday).days // 7) % len(names)]
        day = by_week[week].get(on.weekday())
        if day is not None and on not in dates.holidays:
            found[on] = day
    return found


def day_on(calendar: Calendar, dates: TermDates, on: date) -> int | None:
    """Return the day of the cycle that a date is; None where there are no lessons."""
    return dated(calendar, dates).get(on)


def slots_on(calendar: Calendar, dates: TermDates, on: date) -> tuple[Slot, ...]:
    """Return the slots of a date; none where there are no lessons."""
    day = day_on(calendar, dates, on)
    return () if day is None else calendar.windows[day]


def _days_by_week(calendar: Calendar) -> dict[str | None, dict[int, int]]:
    """Return the day of the cycle by week and weekday; days without a weekday's name count from Monday."""
    weeks: dict[str | None, list[int]] = {}
    for index, day in enumerate(calendar.days):
        weeks.setdefault(day.week, []).append(index)
    named = [weekday(day.name) for day in calendar.days]
    if None in named or any(len({named[d] for d in days}) < len(days) for days in weeks.values()):
        return {week: dict(enumerate(days[:7])) for week, days in weeks.items()}
    return {week: {named[d] or 0: d for d in days} for week, days in weeks.items()}


def weekday(name: str) -> int | None:
    """Return the weekday of a name such as ``Monday`` or ``Mon``, from 0; None where it is none."""
    word = name.strip().lower().rstrip(".")
    found = [i for i, day in enumerate(_WEEKDAYS) if len(word) >= _SHORTEST and day.startswith(word)]
    return found[0] if found else None


def _require_term(calendar: Calendar, dates: TermDates) -> None:
    if not 0 <= (dates.ends_on - dates.starts_on).days <= _LONGEST:
        what = f"A timetable holds for 1 to {_LONGEST} days; {dates.starts_on} to {dates.ends_on} is no such time."
        raise InvalidInput(what, [Fault("/endsOn", what, "out_of_range")])
    weeks = {day.week for day in calendar.days}
    if dates.first_week is not None and dates.first_week not in weeks:
        what = f"There is no week “{dates.first_week}” in this timetable."
        raise InvalidInput(what, [Fault("/firstWeek", what, "unknown")])


def _monday(on: date) -> date:
    return on - timedelta(days=on.weekday())


def _each(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=days) for days in range((last - first).days + 1))
