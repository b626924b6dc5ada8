"""The cycle of a portals' request: its days with their periods and hours, and the slots that a request means."""

from collections.abc import Collection, Iterator
from functools import cached_property

from core.errors import Fault
from core.timetable.formats.school_request import SchoolRequest, Shift, Week
from core.timetable.model import Calendar, Day, Period, Slot

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class SchoolWeek:
    """Reads days, periods and shifts; what can't be is noted in ``faults``."""

    def __init__(self, request: SchoolRequest, faults: list[Fault]) -> None:
        self._request = request
        self._faults = faults

    @property
    def weeks(self) -> tuple[Week | None, ...]:
        """The weeks that take turns; one without a name where there is one."""
        return ("A", "B") if self._request.weeks > 1 else (None,)

    @cached_property
    def calendar(self) -> Calendar:
        """The cycle."""
        for day in self._request.periods_on_days:
            if day > self._request.days_per_week:
                what = f"The week has days 1 to {self._request.days_per_week}."
                self._faults.append(Fault(f"/periodsOnDays/{day}", what, code="out_of_range"))
        periods = self._periods(max(self._lengths.values()))
        return Calendar(
            days=tuple(
                Day(name=_DAYS[day - 1], periods=tuple(periods[:length]), week=week)
                for week in self.weeks
                for day, length in self._lengths.items()
            )
        )

    @cached_property
    def _lengths(self) -> dict[int, int]:
        """How many periods each day has, by its number."""
        usual, other = self._request.periods_per_day, self._request.periods_on_days
        return {day: other.get(day, usual) for day in range(1, self._request.days_per_week + 1)}

    def _periods(self, most: int) -> list[Period]:
        periods: list[Period] = []
        clock = self._request.starts_at
        breaks = {one.after_period: one.duration for one in self._request.breaks}
        for number in range(1, most + 1):
            end = clock + self._request.period_duration
            known = end <= 24 * 60
            periods.append(
                Period(
                    name=str(number),
                    starts_at=clock if known else None,
                    ends_at=end if known else None,
                    break_after=number in breaks,
                )
            )
            clock = end + breaks.get(number, 0)
        return periods

    def slots(
        self, where: str, days: Collection[int], periods: Collection[int], week: Week | None = None
    ) -> frozenset[Slot]:
        """Return the slots of these days and periods, both from 1, and all of them where none is given."""
        longest = max((length for day, length in self._lengths.items() if not days or day in days), default=0)
        if any(day not in self._lengths for day in days) or any(period > longest for period in periods):
            what = f"The week has days 1 to {self._request.days_per_week} and periods 1 to {self._said(days)}."
            self._faults.append(Fault(where, what, code="out_of_range"))
            return frozenset()
        meant = self.weeks if week is None else (week,)
        return frozenset(
            slot
            for slot, day, period in self._each()
            if day.week in meant
            and (not days or _DAYS.index(day.name) + 1 in days)
            and (not periods or period + 1 in periods)
        )

    def _said(self, days: Collection[int]) -> int:
        """Return how many periods there are to choose from on the days that are meant, or on any."""
        return max(length for day, length in self._lengths.items() if day in days or not days or self._strange(days))

    def _strange(self, days: Collection[int]) -> bool:
        return any(day not in self._lengths for day in days)

    def of_week(self, week: Week) -> tuple[Slot, ...]:
        """Return the slots of one week of two."""
        return tuple(slot for slot, day, _ in self._each() if day.week == week)

    def require_week(self, where: str, week: Week | None) -> None:
        """Note a fault where a week is named and there are no two."""
        if week is not None and self._request.weeks == 1:
            what = f"There is no week {week}: say “weeks”: 2 where two take turns."
            self._faults.append(Fault(where, what, code="unknown"))

    def off_shift(self, class_arm: str) -> frozenset[Slot]:
        """Return the slots that a class does not have because of its shift."""
        shift = next((one for one in self._request.shifts if class_arm in one.class_arm_ids), None)
        if shift is None:
            return frozenset()
        own = range(shift.first_period - 1, shift.last_period)
        return frozenset(slot for slot, _, period in self._each() if period not in own)

    def check_shifts(self, known: Collection[str]) -> None:
        """Note a class that nobody teaches or that is in two shifts, and periods that are not there."""
        seen: set[str] = set()
        for i, shift in enumerate(self._request.shifts):
            self._check_periods(f"/shifts/{i}", shift)
            for j, one in enumerate(shift.class_arm_ids):
                where = f"/shifts/{i}/classArmIds/{j}"
                if one not in known:
                    self._faults.append(Fault(where, f"No load has the class “{one}”.", code="unknown"))
                if one in seen:
                    self._faults.append(Fault(where, "A class is in one shift only.", code="duplicate"))
                seen.add(one)

    def _check_periods(self, where: str, shift: Shift) -> None:
        most = max(self._lengths.values())
        if shift.last_period > most:
            self._faults.append(Fault(f"{where}/lastPeriod", f"The day has periods 1 to {most}.", code="out_of_range"))
        if shift.first_period > shift.last_period:
            what = "The first period of a shift is not after its last."
            self._faults.append(Fault(f"{where}/firstPeriod", what, code="out_of_range"))

    def _each(self) -> Iterator[tuple[Slot, Day, int]]:
        """Yield each slot with its day and its place in the day, from 0."""
        calendar = self.calendar
        for slot in range(calendar.slots):
            yield slot, calendar.days[calendar.day_of[slot]], calendar.position_of[slot]
