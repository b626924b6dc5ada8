"""A calendar as FET's grid: every day with the hours of the longest."""

from collections.abc import Iterable, Iterator

from core.timetable.formats.fet.xml_writing import element
from core.timetable.model import Calendar


class OwnWeek:
    """The days and hours of a calendar in FET's words."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._days = [day.label for day in calendar.days]
        longest = max(calendar.days, key=lambda day: len(day.periods))
        names = [period.name for period in longest.periods]
        self._hours = names if len(set(names)) == len(names) else [str(i + 1) for i in range(len(names))]

    def names(self, slot: int) -> tuple[str, str]:
        """Return the day and the hour of a slot."""
        return self._days[self._calendar.day_of[slot]], self._hours[self._calendar.position_of[slot]]

    def days_list(self) -> str:
        """Return the days."""
        days = (element("Day", ("Name", day)) for day in self._days)
        return element("Days_List", ("Number_of_Days", str(len(self._days))), *days)

    def hours_list(self) -> str:
        """Return the hours."""
        hours = (element("Hour", ("Name", hour)) for hour in self._hours)
        return element("Hours_List", ("Number_of_Hours", str(len(self._hours))), *hours)

    def breaks(self) -> str:
        """Return the hours that shorter days don't have."""
        missing = [
            (self._days[d], hour)
            for d, day in enumerate(self._calendar.days)
            for hour in self._hours[len(day.periods) :]
        ]
        times = (element("Break_Time", ("Day", day), ("Hour", hour)) for day, hour in missing)
        return element(
            "ConstraintBreakTimes",
            ("Weight_Percentage", "100"),
            ("Number_of_Break_Times", str(len(missing))),
            *times,
            ("Active", "true"),
        )

    def absence(self, whose: str, name: str, slots: Iterable[int], tag: str | None = None) -> Iterator[str]:
        """Yield when somebody, or a room, is not available."""
        away = [self.names(slot) for slot in sorted(slots)]
        times = (element("Not_Available_Time", ("Day", day), ("Hour", hour)) for day, hour in away)
        if away:
            yield element(
                f"Constraint{whose}NotAvailableTimes",
                ("Weight_Percentage", "100"),
                (tag or whose, name),
                ("Number_of_Not_Available_Times", str(len(away))),
                *times,
                ("Active", "true"),
            )

    def starts(self, activity: str, slots: Iterable[int]) -> str:
        """Return where an activity may start."""
        places = [self.names(slot) for slot in slots]
        times = (
            element("Preferred_Starting_Time", ("Preferred_Starting_Day", day), ("Preferred_Starting_Hour", hour))
            for day, hour in places
        )
        return element(
            "ConstraintActivityPreferredStartingTimes",
            ("Weight_Percentage", "100"),
            ("Activity_Id", activity),
            ("Number_of_Preferred_Starting_Times", str(len(places))),
            *times,
            ("Active", "true"),
        )
