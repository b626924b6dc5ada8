"""A timetable as an iCalendar file, to be subscribed to: a series of events a lesson, in the school's own time."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar as IcsCalendar
from icalendar import Event

from core.errors import Fault, InvalidInput
from core.timetable.grid_dates import TermDates, dated
from core.timetable.model import Lesson, Problem, Timetable
from core.timetable.swapping import lessons_of, require_known
from core.timetable.view import View
from core.timetable.wording import listed

_REFRESH = timedelta(hours=12)
_WEEK = 7
_MIDNIGHT = 24 * 60


def calendar_of(
    problem: Problem,
    timetable: Timetable,
    who: tuple[str, str],
    dates: TermDates,
    *,
    name: str,
    source: str,
    version: int,
    published_at: datetime,
) -> bytes:
    """Return the lessons of a (``group``, ``teacher`` or ``room``, id) in the weeks of a term.

    Args:
        problem: what the timetable solves; its periods have their hours.
        timetable: the published version.
        who: whose lessons.
        dates: the term, in which week A and B take turns.
        name: of the calendar, as programs show it.
        source: what the timetable is known by for good. With a lesson's id it makes the event's UID, so that a lesson
            that moved in the next version moves in the subscriber's calendar and does not stand there twice.
        version: its number; programs take the event with the highest.
        published_at: when, with its zone.

    Raises:
        InvalidInput: there is nobody of that id, the hours of a period are not known, or the dates are no term.
    """
    require_known(problem, who, "/who")
    _require_hours(problem)
    view = View(problem, timetable)
    days = _dates_by_day(dated(problem.calendar, dates))
    made = _head(name, dates.time_zone)
    for lesson in lessons_of(view, who):
        on = days.get(view.day(lesson), [])
        if on:
            event = _event(view, who, lesson, on, ZoneInfo(dates.time_zone))
            event.add("uid", f"{lesson.id}.{source}@schoolos")
            event.add("dtstamp", published_at.astimezone(UTC))
            event.add("last-modified", published_at.astimezone(UTC))
            event.add("sequence", version)
            made.add_component(event)
    if made.events:
        made.add_missing_timezones(dates.starts_on, dates.ends_on + timedelta(days=1))
    return bytes(made.to_ical())


def empty_calendar(name: str, dates: TermDates) -> bytes:
    """Return a calendar without lessons: what a subscriber gets until something is published."""
    return bytes(_head(name, dates.time_zone).to_ical())


def _head(name: str, time_zone: str) -> IcsCalendar:
    made = IcsCalendar()
    made.add("prodid", "-//SchoolOS//Timetable//EN")
    made.add("version", "2.0")
    made.add("calscale", "GREGORIAN")
    made.add("method", "PUBLISH")
    made.add("name", name)
    made.add("x-wr-calname", name)
    made.add("x-wr-timezone", time_zone)
    made.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT12H")
    return made


def _event(view: View, who: tuple[str, str], lesson: Lesson, on: list[date], zone: ZoneInfo) -> Event:
    """Return a lesson as a weekly or fortnightly series without the dates on which school is closed."""
    span = view.span(lesson)
    first, last = view.calendar.period(span[0]), view.calendar.period(span[-1])
    starts, ends = first.starts_at or 0, last.ends_at or 0
    event = Event()
    event.add("summary", _summary(view, who, lesson))
    event.add("dtstart", _at(on[0], starts, zone))
    event.add("dtend", _at(on[0], ends, zone))
    rooms = [view.problem.room[room].name for room in view.rooms(lesson) if room is not None]
    if rooms:
        event.add("location", listed(rooms))
    event.add("description", _description(view, lesson))
    event.add("categories", [view.problem.subject[lesson.subject].name])
    event.add("transp", "OPAQUE")
    _repeat(event, on, len(view.calendar.weeks), starts, zone)
    return event


def _repeat(event: Event, on: list[date], weeks: int, starts: int, zone: ZoneInfo) -> None:
    if len(on) == 1:
        return
    step = timedelta(days=_WEEK * weeks)
    expected = {on[0] + step * i for i in range((on[-1] - on[0]).days // step.days + 1)}
    rule = {"freq": "weekly", "until": _at(on[-1], starts, zone).astimezone(UTC)}
    event.add("rrule", rule if weeks == 1 else {**rule, "interval": weeks})
    for closed in sorted(expected.difference(on)):
        event.add("exdate", _at(closed, starts, zone))


def _summary(view: View, who: tuple[str, str], lesson: Lesson) -> str:
    subject = view.problem.subject[lesson.subject].name
    groups = [view.problem.group[group].name for group in lesson.groups if group != who[1]]
    return f"{subject}: {listed(groups)}" if groups else subject


def _description(view: View, lesson: Lesson) -> str:
    problem = view.problem
    classes = listed([problem.group[group].name for group in lesson.groups])
    teachers = listed([problem.teacher[teacher].name for teacher in lesson.teachers])
    return "\n".join(filter(None, (classes, teachers)))


def _dates_by_day(days: dict[date, int]) -> dict[int, list[date]]:
    found: dict[int, list[date]] = defaultdict(list)
    for on, day in days.items():
        found[day].append(on)
    return found


def _at(on: date, minutes: int, zone: ZoneInfo) -> datetime:
    day = on + timedelta(days=minutes // _MIDNIGHT)
    return datetime.combine(day, time(minutes % _MIDNIGHT // 60, minutes % 60), tzinfo=zone)


def _require_hours(problem: Problem) -> None:
    for d, day in enumerate(problem.calendar.days):
        without = _first_without_hours([(period.starts_at, period.ends_at) for period in day.periods])
        if without is not None:
            what = f"The hours of period {day.periods[without].name} on {day.label} are not known."
            raise InvalidInput(what, [Fault(f"/calendar/days/{d}/periods/{without}", what, "missing")])


def _first_without_hours(hours: Iterable[tuple[int | None, int | None]]) -> int | None:
    return next((i for i, (starts, ends) in enumerate(hours) if starts is None or ends is None), None)
