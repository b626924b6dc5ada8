"""FET's constraints on the time of activities, as rules."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, Literal

from core.timetable.bounds import MOST_DAYS
from core.timetable.formats.fet.document import Activity, number
from core.timetable.formats.fet.reading import NotKeptError, Reader, Reading, Worth, lessons_of
from core.timetable.formats.fet.rooms import same_room_if_consecutive
from core.timetable.formats.safe_xml import Element
from core.timetable.rules.adjacent_on_day import AdjacentOnDay
from core.timetable.rules.apart_on_day import ApartOnDay
from core.timetable.rules.avoided_slots import AvoidedSlots
from core.timetable.rules.base import Rule
from core.timetable.rules.days_apart import DaysApart
from core.timetable.rules.days_within import DaysWithin
from core.timetable.rules.next_to import NextTo
from core.timetable.rules.no_overlap import NoOverlap
from core.timetable.rules.not_together import NotTogether
from core.timetable.rules.occupancy import Occupancy
from core.timetable.rules.order import Order
from core.timetable.rules.order_on_day import OrderOnDay
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.preferred_starts import PreferredStarts
from core.timetable.rules.same_day import SameDay
from core.timetable.rules.same_start import SameStart
from core.timetable.rules.selecting import Lessons


def always_holds(_reading: Reading, _at: Element, _worth: Worth) -> Iterable[Rule]:
    """Return nothing: clashes, availability and breaks hold in every problem."""
    return ()


def starting_time(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Lock an activity in its place, or wish for it."""
    activities = reading.activities(at)
    day, hour = at.text_of("Preferred_Day"), at.text_of("Preferred_Hour")
    slots = reading.week.slots(reading.document.places_of(day, hour, at))
    for activity in activities:
        free = reading.locked.get(activity.id) in {None, *slots}
        if worth.hard and len(slots) == 1 and free and _fits(reading, activity, slots[0]):
            reading.locked[activity.id] = slots[0]
        else:
            yield _starts([activity], slots, worth)


def _fits(reading: Reading, activity: Activity, slot: int) -> bool:
    return reading.week.calendar.span(slot, activity.duration) is not None


def _starts(activities: Iterable[Activity], slots: tuple[int, ...], worth: Worth) -> Rule:
    return PreferredStarts(lessons=lessons_of(list(activities)), slots=slots, hard=worth.hard, weight=worth.weight)


def starting_day(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Wish for a day."""
    slots = reading.week.slots(reading.document.places_of(at.text_of("Preferred_Day"), "", at))
    yield _starts(reading.activities(at), slots, worth)


def starting_times(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let one activity start in one of some places."""
    yield _starts(reading.activities(at), reading.slots(at, "Preferred_Starting_Time"), worth)


def all_starting_times(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let each activity that matches start in one of some places."""
    yield _starts(reading.matching(at), reading.slots(at, "Preferred_Starting_Time"), worth)


def time_slots(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let an activity, or each that matches, lie wholly in some places."""
    meant = reading.activities(at) if at.child("Activity_Id") else reading.matching(at)
    slots = reading.slots(at, "Preferred_Time_Slot")
    yield PreferredSlots(lessons=lessons_of(meant), slots=slots, hard=worth.hard, weight=worth.weight)


def min_days(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Keep the days of activities apart; where two may meet on a day for once, they follow one another."""
    meant, least = reading.activities(at), number(at, "MinDays", 1)
    if len(meant) < 2 or least < 1:
        return
    lessons = lessons_of(meant)
    by: Literal["course", "selection"] = "course" if len({activity.split for activity in meant}) == 1 else "selection"
    if worth.percentage > 0:
        yield _days_apart(reading, lessons, least, by, worth)
    if at.text_of("Consecutive_If_Same_Day") == "true" and not worth.hard:
        yield AdjacentOnDay(lessons=lessons, by=by)


def _days_apart(
    reading: Reading, lessons: Lessons, least: int, by: Literal["course", "selection"], worth: Worth
) -> Rule:
    if not reading.document.has_half_days:
        return DaysApart(lessons=lessons, at_least=min(least, MOST_DAYS), by=by, hard=worth.hard, weight=worth.weight)
    days = reading.week.real_days
    windows = tuple(
        tuple(slot for day in days[i : i + least] for slot in day) for i in range(max(1, len(days) - least + 1))
    )
    return Occupancy(lessons=lessons, windows=windows, what="starts", most=1, hard=worth.hard, weight=worth.weight)


def max_days(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Keep the days of activities near each other."""
    most = number(at, "MaxDays", 0) * (2 if reading.document.has_half_days else 1)
    lessons = lessons_of(reading.activities(at))
    yield DaysWithin(lessons=lessons, at_most=min(most, MOST_DAYS), hard=worth.hard, weight=worth.weight)


def same_start(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let activities start together."""
    meant = reading.activities(at)
    if len({activity.split for activity in meant}) < len(meant):
        raise NotKeptError("two of its activities are parts of one")
    yield SameStart(lessons=lessons_of(meant), hard=worth.hard, weight=worth.weight)


def same_hour(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let activities start at one hour, on whatever days: of different lengths, all or none start at each hour."""
    meant = reading.activities(at)
    chosen, columns = lessons_of(meant), reading.week.columns
    durations = {activity.duration for activity in meant}
    if len(durations) == 1:
        bound: dict[str, Any] = {"what": "parts", "most": durations.pop()}
    elif any(reading.partners[one.id] & {other.id for other in meant} for one in meant if one.id in reading.partners):
        raise NotKeptError("its activities are of different lengths, and some of them start together")
    else:
        bound = {"what": "starts", "least": len(meant), "or_zero": True}
    yield Occupancy(lessons=chosen, windows=columns, hard=worth.hard, weight=worth.weight, **bound)


def same_day(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let activities be on one day."""
    yield SameDay(lessons=lessons_of(reading.activities(at)), hard=worth.hard, weight=worth.weight)


def not_overlapping(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Keep activities from each other's time."""
    yield NoOverlap(lessons=lessons_of(reading.activities(at)), hard=worth.hard, weight=worth.weight)


def tags_not_overlapping(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Keep activities with one tag from the time of those with another."""
    tags = dict.fromkeys(child.text for child in at.all("Activity_Tag"))
    present = [tag for tag in tags if any(tag in activity.tags for activity in reading.document.activities)]
    for one, other in combinations(present, 2):
        first, second = reading.tagged(one), reading.tagged(other)
        yield NotTogether(first=first, second=second, hard=worth.hard, weight=worth.weight)


def consecutive(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let the second follow right on the first."""
    if two := reading.named(at, "First_Activity_Id", "Second_Activity_Id"):
        first, second = (Lessons(lessons=(one.id,)) for one in two)
        yield NextTo(first=first, second=second, hard=worth.hard, weight=worth.weight)


def grouped(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let two activities be on one day, one right after the other, in whatever order."""
    if two := reading.named(at, "First_Activity_Id", "Second_Activity_Id"):
        lessons = lessons_of(two)
        yield SameDay(lessons=lessons, hard=worth.hard, weight=worth.weight)
        yield AdjacentOnDay(lessons=lessons, by="selection", hard=worth.hard, weight=worth.weight)


def three_grouped(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let three activities be on one day without a gap: none two of their periods further apart than their lengths."""
    three = reading.named(at, "First_Activity_Id", "Second_Activity_Id", "Third_Activity_Id")
    if not three:
        return
    lessons, length = lessons_of(three), sum(activity.duration for activity in three)
    yield SameDay(lessons=lessons, hard=worth.hard, weight=worth.weight)
    yield NoOverlap(lessons=lessons, hard=worth.hard, weight=worth.weight)
    days = reading.week.calendar.windows
    far = tuple((day[i], day[j]) for day in days for i in range(len(day)) for j in range(i + length, len(day)))
    if far:
        yield Occupancy(lessons=lessons, windows=far, most=1, hard=worth.hard, weight=worth.weight)


def ordered(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let the first come before the second in the week."""
    if two := reading.named(at, "First_Activity_Id", "Second_Activity_Id"):
        first, second = (Lessons(lessons=(one.id,)) for one in two)
        yield Order(first=first, second=second, hard=worth.hard, weight=worth.weight)


def ordered_on_day(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let the first come before the second where they are on one day."""
    if two := reading.named(at, "First_Activity_Id", "Second_Activity_Id"):
        first, second = (Lessons(lessons=(one.id,)) for one in two)
        yield OrderOnDay(first=first, second=second, hard=worth.hard, weight=worth.weight)


def min_gaps(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Leave periods between activities of one day."""
    least = min(number(at, "MinGaps", 0), 48)
    lessons = lessons_of(reading.activities(at))
    yield ApartOnDay(lessons=lessons, at_least=least, hard=worth.hard, weight=worth.weight)


def ends_day(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Let nothing that its students attend come after an activity on its day."""
    meant = reading.activities(at) if at.child("Activity_Id") else reading.matching(at)
    second = lessons_of(meant)
    yield OrderOnDay(first=Lessons(), second=second, who_share=True, hard=worth.hard, weight=worth.weight)


def occupy_slots(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Bound how many of some places activities take."""
    window = reading.slots(at, "Selected_Time_Slot")
    most, least = at.child("Max_Number_of_Occupied_Time_Slots"), at.child("Min_Number_of_Occupied_Time_Slots")
    if window:
        yield Occupancy(
            lessons=lessons_of(reading.activities(at)),
            windows=(window,),
            least=number(at, "Min_Number_of_Occupied_Time_Slots") if least else 0,
            most=number(at, "Max_Number_of_Occupied_Time_Slots") if most else None,
            hard=worth.hard,
            weight=worth.weight,
        )


def simultaneous(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Bound how many activities are on at once in each of some places."""
    meant, slots = reading.activities(at), reading.slots(at, "Selected_Time_Slot")
    most, least = at.child("Max_Number_of_Simultaneous_Activities"), at.child("Min_Number_of_Simultaneous_Activities")
    yield from _counted(
        reading,
        meant,
        [(slot,) for slot in slots],
        least=number(at, "Min_Number_of_Simultaneous_Activities") if least else 0,
        most=number(at, "Max_Number_of_Simultaneous_Activities") if most else None,
        or_zero=at.text_of("Allow_Empty_Slots") == "true",
        worth=worth,
    )


def total_in_slots(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Bound how many activities lie in some places at all."""
    meant, slots = reading.activities(at), reading.slots(at, "Selected_Time_Slot")
    most = number(at, "Max_Total_Number_of_Activities")
    yield from _counted(reading, meant, [slots], least=0, most=most, or_zero=False, worth=worth)


def _counted(
    reading: Reading,
    meant: tuple[Activity, ...],
    parts: list[tuple[int, ...]],
    *,
    least: int,
    most: int | None,
    or_zero: bool,
    worth: Worth,
) -> Iterator[Rule]:
    """Yield a bound on the activities in each part, each counted by the starts from which it reaches into the part."""
    ids = {activity.id for activity in meant}
    if most == 0 and not least:
        slots = tuple(slot for part in parts for slot in part)
        yield AvoidedSlots(lessons=lessons_of(meant), slots=slots, hard=worth.hard, weight=worth.weight)
        return
    durations = {activity.duration for activity in meant}
    if len(durations) > 1:
        raise NotKeptError("its activities are of different lengths")
    if any(reading.partners[one] & ids for one in ids if one in reading.partners):
        raise NotKeptError("some of its activities start together")
    windows = tuple(_reaching(reading, part, *durations) for part in parts if part and durations)
    if windows:
        yield Occupancy(
            lessons=lessons_of(meant),
            windows=windows,
            what="starts",
            least=least,
            most=most,
            or_zero=or_zero,
            hard=worth.hard,
            weight=worth.weight,
        )


def terms(reading: Reading, at: Element, worth: Worth) -> Iterator[Rule]:
    """Bound in how many terms activities are, or how many of them are in a term."""
    windows, days = reading.week.calendar.windows, reading.document.term_days
    if days < 1:
        raise NotKeptError("the file has no terms")
    parts = tuple(tuple(slot for day in windows[d : d + days] for slot in day) for d in range(0, len(windows), days))
    occupied = at.child("Max_Number_of_Occupied_Terms")
    tag = "Max_Number_of_Occupied_Terms" if occupied else "Max_Number_of_Activities_in_A_Term"
    yield Occupancy(
        lessons=lessons_of(reading.activities(at)),
        windows=parts,
        what="parts" if occupied else "starts",
        most=number(at, tag),
        hard=worth.hard,
        weight=worth.weight,
    )


def _reaching(reading: Reading, part: tuple[int, ...], duration: int) -> tuple[int, ...]:
    calendar = reading.week.calendar
    spans = ((start, calendar.span(start, duration)) for start in range(calendar.slots))
    return tuple(start for start, span in spans if span is not None and not set(span).isdisjoint(part))


READERS: dict[str, Reader] = {
    "BasicCompulsoryTime": always_holds,
    "BreakTimes": always_holds,
    "ActivityPreferredStartingTime": starting_time,
    "ActivityPreferredDay": starting_day,
    "ActivityPreferredStartingTimes": starting_times,
    "ActivitiesPreferredStartingTimes": all_starting_times,
    "SubactivitiesPreferredStartingTimes": all_starting_times,
    "ActivityPreferredTimeSlots": time_slots,
    "ActivitiesPreferredTimeSlots": time_slots,
    "SubactivitiesPreferredTimeSlots": time_slots,
    "MinDaysBetweenActivities": min_days,
    "MaxDaysBetweenActivities": max_days,
    "ActivitiesSameStartingTime": same_start,
    "ActivitiesSameStartingHour": same_hour,
    "ActivitiesSameStartingDay": same_day,
    "ActivitiesNotOverlapping": not_overlapping,
    "ActivityTagsNotOverlapping": tags_not_overlapping,
    "TwoActivitiesConsecutive": consecutive,
    "TwoActivitiesGrouped": grouped,
    "ThreeActivitiesGrouped": three_grouped,
    "TwoActivitiesOrdered": ordered,
    "TwoActivitiesOrderedIfSameDay": ordered_on_day,
    "MinGapsBetweenActivities": min_gaps,
    "ActivityEndsStudentsDay": ends_day,
    "ActivitiesEndStudentsDay": ends_day,
    "ActivitiesOccupyMaxTimeSlotsFromSelection": occupy_slots,
    "ActivitiesOccupyMinTimeSlotsFromSelection": occupy_slots,
    "ActivitiesMaxSimultaneousInSelectedTimeSlots": simultaneous,
    "ActivitiesMinSimultaneousInSelectedTimeSlots": simultaneous,
    "ActivitiesOccupyMaxTerms": terms,
    "ActivitiesMaxInATerm": terms,
    "ActivitiesSameRoomIfConsecutive": same_room_if_consecutive,
    "MaxTotalActivitiesFromSetInSelectedTimeSlots": total_in_slots,
}
"""By the constraint's name without ``Constraint``."""
