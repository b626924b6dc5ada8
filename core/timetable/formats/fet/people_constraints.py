"""FET's constraints on the days of teachers and students, as rules.

A name is whom it is about (``Teacher``, ``Teachers``, ``StudentsSet``, ``Students``) and what it bounds.
"""

from collections.abc import Iterator
from itertools import pairwise

from core.timetable.bounds import MOST_DAYS, MOST_PERIODS, MOST_SLOTS
from core.timetable.formats.fet.document import number
from core.timetable.formats.fet.reading import Constraint, NotKeptError, PeopleReader, Reading
from core.timetable.formats.safe_xml import Element
from core.timetable.rules.base import Rule
from core.timetable.rules.begins_early import BeginsEarly
from core.timetable.rules.day_span import DaySpan
from core.timetable.rules.days_in_a_row import DaysInARow
from core.timetable.rules.gaps import Gaps
from core.timetable.rules.kinds_a_day import KindsADay
from core.timetable.rules.occupancy import Occupancy
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.periods_in_a_row import PeriodsInARow
from core.timetable.rules.room_changes import RoomChanges
from core.timetable.rules.selecting import Lessons
from core.timetable.rules.travel import Travel, clock_of_periods
from core.timetable.rules.working_days import WorkingDays

Windows = tuple[tuple[int, ...], ...]
_EXCEPTION = "Allow_One_Day_Exception_of_Plus_One"


def working_days(c: Constraint) -> Iterator[Rule]:
    """Bound the days of a week: the real ones, where days are halves."""
    if c.reading.document.has_half_days:
        yield from real_days(c)
        return
    most, least = c.at.child("Max_Days_Per_Week"), c.at.child("Minimum_Days_Per_Week")
    yield WorkingDays(
        people=c.people,
        least=number(c.at, "Minimum_Days_Per_Week") if least else 0,
        most=number(c.at, "Max_Days_Per_Week") if most else None,
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def real_days(c: Constraint) -> Iterator[Rule]:
    """Bound the real days of a week."""
    most, least = c.at.child("Max_Days_Per_Week"), c.at.child("Minimum_Days_Per_Week")
    yield Occupancy(
        people=c.people,
        windows=c.reading.week.real_days,
        what="parts",
        least=number(c.at, "Minimum_Days_Per_Week") if least else 0,
        most=number(c.at, "Max_Days_Per_Week") if most else None,
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def gaps_a_week(c: Constraint) -> Iterator[Rule]:
    """Bound the gaps of a week."""
    yield _gaps(c, Gaps(people=c.people, each="week", over_absence=False))


def gaps_a_day(c: Constraint) -> Iterator[Rule]:
    """Bound the gaps of a day."""
    yield _gaps(c, Gaps(people=c.people, over_absence=False))


def gaps_a_real_day(c: Constraint) -> Iterator[Rule]:
    """Bound the gaps of a morning and its afternoon together."""
    _without_exception(c.at)
    days = 2 if c.reading.document.has_half_days else 1
    yield _gaps(c, Gaps(people=c.people, over_absence=False, days_together=days))


def gaps_in_afternoons(c: Constraint) -> Iterator[Rule]:
    """Allow no gap in an afternoon."""
    days = c.reading.week.half_days(1)
    yield Gaps(people=c.people, over_absence=False, days=days, hard=c.worth.hard, weight=c.worth.weight)


def _gaps(c: Constraint, like: Gaps) -> Rule:
    most = min(number(c.at, "Max_Gaps"), MOST_SLOTS)
    return like.model_copy(update={"most": most, "hard": c.worth.hard, "weight": c.worth.weight})


def _without_exception(at: Element) -> None:
    if at.text_of(_EXCEPTION) == "true":
        raise NotKeptError("it allows one day an exception")


def max_hours_daily(c: Constraint) -> Iterator[Rule]:
    """Bound the periods of a day."""
    if c.reading.document.counts_whole_days:
        yield from hours_a_real_day(c)
        return
    most = number(c.at, "Maximum_Hours_Daily")
    yield PeriodsADay(people=c.people, most=most, hard=c.worth.hard, weight=c.worth.weight)


def min_hours_daily(c: Constraint) -> Iterator[Rule]:
    """Demand so many periods of a day, or of one on which there are any; a half day may always be free."""
    least, is_half = number(c.at, "Minimum_Hours_Daily"), c.reading.document.has_half_days
    or_zero = c.at.text_of("Allow_Empty_Days", "true") != "false"
    yield PeriodsADay(
        people=c.people, least=least, or_zero=or_zero or is_half, hard=c.worth.hard, weight=c.worth.weight
    )
    if is_half and not or_zero:
        days = c.reading.week.real_days
        yield Occupancy(people=c.people, windows=days, least=1, hard=c.worth.hard, weight=c.worth.weight)


def hours_a_real_day(c: Constraint) -> Iterator[Rule]:
    """Bound the periods of a morning and its afternoon together."""
    most, least = c.at.child("Maximum_Hours_Daily"), c.at.child("Minimum_Hours_Daily")
    yield Occupancy(
        people=c.people,
        windows=c.reading.week.real_days,
        least=number(c.at, "Minimum_Hours_Daily") if least else 0,
        most=number(c.at, "Maximum_Hours_Daily") if most else None,
        or_zero=c.at.text_of("Allow_Empty_Days", "true") != "false",
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def min_hours_in_mornings(c: Constraint) -> Iterator[Rule]:
    """Demand so many periods of a morning."""
    windows = c.reading.week.calendar.windows
    yield Occupancy(
        people=c.people,
        windows=tuple(windows[d] for d in c.reading.week.half_days(0)),
        least=number(c.at, "Minimum_Hours_Per_Morning"),
        or_zero=c.at.text_of("Allow_Empty_Mornings", "true") != "false",
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def hours_in_a_row(c: Constraint) -> Iterator[Rule]:
    """Bound the periods without a rest."""
    most = number(c.at, "Maximum_Hours_Continuously")
    yield PeriodsInARow(people=c.people, most=most, hard=c.worth.hard, weight=c.worth.weight)


def tagged_hours_daily(c: Constraint) -> Iterator[Rule]:
    """Bound the periods of a day in activities of a tag."""
    yield _tagged(c, c.reading.week.calendar.windows)


def tagged_hours_a_real_day(c: Constraint) -> Iterator[Rule]:
    """Bound the periods of a real day in activities of a tag."""
    yield _tagged(c, c.reading.week.real_days)


def _tagged(c: Constraint, windows: Windows) -> Rule:
    return Occupancy(
        lessons=_of_tag(c),
        people=c.people,
        windows=windows,
        most=number(c.at, "Maximum_Hours_Daily"),
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def tagged_hours_in_a_row(c: Constraint) -> Iterator[Rule]:
    """Bound the periods without a rest in activities of a tag."""
    yield Occupancy(
        lessons=_of_tag(c),
        people=c.people,
        windows=c.reading.week.calendar.stretches,
        what="run",
        most=number(c.at, "Maximum_Hours_Continuously"),
        hard=c.worth.hard,
        weight=c.worth.weight,
    )


def _of_tag(c: Constraint) -> Lessons:
    return c.reading.tagged(c.at.text_of("Activity_Tag_Name") or c.at.text_of("Activity_Tag"))


def days_with_interval(c: Constraint) -> Iterator[Rule]:
    """Bound on how many days there is anything between two hours."""
    document, week = c.reading.document, c.reading.week
    begin = document.hour(c.at.text_of("Interval_Start_Hour"), c.at)
    last = c.at.text_of("Interval_End_Hour")
    end = document.hour(last, c.at) if last else len(document.hours)
    days = range(len(document.days))
    windows = [week.slots((d, h) for h in range(begin, end)) for d in days]
    yield from _days_of(c, tuple(w for w in windows if w), number(c.at, "Max_Days_Per_Week"))


def mornings(c: Constraint) -> Iterator[Rule]:
    """Bound the mornings of a week."""
    windows = tuple(c.reading.week.calendar.windows[d] for d in c.reading.week.half_days(0))
    yield from _days_of(c, windows, number(c.at, "Max_Mornings_Per_Week"))


def afternoons(c: Constraint) -> Iterator[Rule]:
    """Bound the afternoons of a week."""
    windows = tuple(c.reading.week.calendar.windows[d] for d in c.reading.week.half_days(1))
    yield from _days_of(c, windows, number(c.at, "Max_Afternoons_Per_Week"))


def _days_of(c: Constraint, windows: Windows, most: int) -> Iterator[Rule]:
    if windows:
        yield Occupancy(
            people=c.people, windows=windows, what="parts", most=most, hard=c.worth.hard, weight=c.worth.weight
        )


def three_days_in_a_row(c: Constraint) -> Iterator[Rule]:
    """Allow three of FET's days in a row, but for four from an afternoon on where it says so."""
    week, tag = c.reading.week, "Allow_Afternoon_Morning_Afternoon_Morning_Exception"
    first = week.half_days(0) if c.at.text_of(tag) == "true" else ()
    yield DaysInARow(people=c.people, most=3, first_days=first, hard=c.worth.hard, weight=c.worth.weight)


def two_tags_a_day(c: Constraint) -> Iterator[Rule]:
    """Allow two of the tags N1, N2 and N3 in one of FET's days."""
    present = {tag for activity in c.reading.document.activities for tag in activity.tags}
    kinds = tuple(c.reading.tagged(tag) for tag in ("N1", "N2", "N3") if tag in present)
    if len(kinds) > 2:
        yield KindsADay(people=c.people, kinds=kinds, most=2, hard=c.worth.hard, weight=c.worth.weight)


def begins_early(c: Constraint) -> Iterator[Rule]:
    """Begin days with the first period, but for some with the second."""
    most = min(number(c.at, "Max_Beginnings_At_Second_Hour"), MOST_DAYS)
    yield BeginsEarly(people=c.people, most=most, hard=c.worth.hard, weight=c.worth.weight)


def afternoons_begin_early(c: Constraint) -> Iterator[Rule]:
    """Begin afternoons with the first period, but for some with the second."""
    most, days = min(number(c.at, "Max_Beginnings_At_Second_Hour"), MOST_DAYS), c.reading.week.half_days(1)
    yield BeginsEarly(people=c.people, most=most, days=days, hard=c.worth.hard, weight=c.worth.weight)


def span_of_day(c: Constraint) -> Iterator[Rule]:
    """Bound the hours from a day's first to its last: no two hours further apart are both busy."""
    most, week = number(c.at, "Max_Span"), c.reading.week
    if c.at.text_of(_EXCEPTION) == "true":
        yield _longer_once(c, most)
        return
    far = (
        (one, other)
        for day in week.calendar.windows
        for i, one in enumerate(day)
        for other in day[i + 1 :]
        if week.hours_apart(one, other) >= most
    )
    yield from _not_both(c, tuple(far))


def _longer_once(c: Constraint, most: int) -> Rule:
    week = c.reading.week
    begins, _ = clock_of_periods(week.calendar)
    for day in week.calendar.windows:
        if begins[day[-1]] - begins[day[0]] != week.hours_apart(day[0], day[-1]):
            raise NotKeptError("it allows one day an exception, and a break is of several hours")
    return DaySpan(people=c.people, most=most, longer=1, hard=c.worth.hard, weight=c.worth.weight)


def rest_at_night(c: Constraint) -> Iterator[Rule]:
    """Leave hours between the last of a day and the first of the next."""
    days = c.reading.week.calendar.windows
    nights = [*pairwise(days), *([(days[-1], days[0])] if c.at.text_of("Circular") == "true" else ())]
    yield from _rests(c, nights)


def rest_at_noon(c: Constraint) -> Iterator[Rule]:
    """Leave hours between the last of a morning and the first of its afternoon."""
    days = c.reading.week.calendar.windows
    yield from _rests(c, [(days[d], days[d + 1]) for d in range(0, len(days) - 1, 2)])


def _rests(c: Constraint, nights: list[tuple[tuple[int, ...], ...]]) -> Iterator[Rule]:
    least, hours = number(c.at, "Minimum_Resting_Hours"), len(c.reading.document.hours)
    place_of = c.reading.week.place_of
    near = (
        tuple(sorted((late, early)))
        for evening, morning in nights
        for late in evening
        for early in morning
        if hours - 1 - place_of[late][1] + place_of[early][1] < least
    )
    yield from _not_both(c, tuple(near))


def _not_both(c: Constraint, two: Windows) -> Iterator[Rule]:
    if two:
        yield Occupancy(people=c.people, windows=two, most=1, hard=c.worth.hard, weight=c.worth.weight)


def gaps_between_buildings(c: Constraint) -> Iterator[Rule]:
    """Leave periods for the way between two buildings."""
    time = min(number(c.at, "Min_Gaps_Between_Building_Changes"), 1_440)
    if len(_buildings(c.reading)) > 1:
        yield Travel(people=c.people, time=time, hard=c.worth.hard, weight=c.worth.weight)


def gaps_between_rooms(c: Constraint) -> Iterator[Rule]:
    """Leave periods between two rooms."""
    least = min(number(c.at, "Min_Gaps_Between_Room_Changes"), MOST_PERIODS)
    if least > 0:
        yield RoomChanges(people=c.people, least=least, hard=c.worth.hard, weight=c.worth.weight)


def building_changes(c: Constraint) -> Iterator[Rule]:
    """Keep each day in one building. Raises ``NotKeptError`` where some changes are fine."""
    tags = ("Max_Building_Changes_Per_Day", "Max_Building_Changes_Per_Week")
    most = next(number(c.at, tag) for tag in tags if c.at.child(tag))
    if len(_buildings(c.reading)) < 2:
        return
    if most:
        raise NotKeptError("it allows some changes, and there is more than one building")
    yield Travel(people=c.people, time=2 * len(c.reading.document.hours), hard=c.worth.hard, weight=c.worth.weight)


def _buildings(reading: Reading) -> set[str]:
    return {room.building for room in reading.document.rooms.values() if room.building}


PEOPLE_READERS: dict[str, PeopleReader] = {
    "MaxDaysPerWeek": working_days,
    "MinDaysPerWeek": working_days,
    "MaxRealDaysPerWeek": real_days,
    "MinRealDaysPerWeek": real_days,
    "MaxGapsPerWeek": gaps_a_week,
    "MaxGapsPerDay": gaps_a_day,
    "MaxGapsPerRealDay": gaps_a_real_day,
    "MaxZeroGapsPerAfternoon": gaps_in_afternoons,
    "MaxHoursDaily": max_hours_daily,
    "MaxHoursDailyHalfDays": max_hours_daily,
    "MinHoursDaily": min_hours_daily,
    "MaxHoursDailyRealDays": hours_a_real_day,
    "MinHoursDailyRealDays": hours_a_real_day,
    "MinHoursPerMorning": min_hours_in_mornings,
    "MaxHoursContinuously": hours_in_a_row,
    "ActivityTagMaxHoursDaily": tagged_hours_daily,
    "ActivityTagMaxHoursDailyRealDays": tagged_hours_a_real_day,
    "ActivityTagMaxHoursContinuously": tagged_hours_in_a_row,
    "IntervalMaxDaysPerWeek": days_with_interval,
    "MaxMorningsPerWeek": mornings,
    "MaxAfternoonsPerWeek": afternoons,
    "MaxTwoActivityTagsPerDayFromN1N2N3": two_tags_a_day,
    "MaxThreeConsecutiveDays": three_days_in_a_row,
    "EarlyMaxBeginningsAtSecondHour": begins_early,
    "AfternoonsEarlyMaxBeginningsAtSecondHour": afternoons_begin_early,
    "MaxSpanPerDay": span_of_day,
    "MinRestingHours": rest_at_night,
    "MinRestingHoursBetweenMorningAndAfternoon": rest_at_noon,
    "MinGapsBetweenBuildingChanges": gaps_between_buildings,
    "MinGapsBetweenRoomChanges": gaps_between_rooms,
    "MaxBuildingChangesPerDay": building_changes,
    "MaxBuildingChangesPerWeek": building_changes,
}
"""By what the constraint bounds: its name without ``Constraint`` and without whom it is about."""
