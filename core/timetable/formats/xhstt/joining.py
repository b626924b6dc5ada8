"""Events whose cut need not be settled before the search: single periods that make parts where they meet.

Where an event has one part a day at most, of one period or two, any timetable of single periods says how it is cut: two
that follow each other on a day are one part. Then the search finds the cut, at the prices the constraints give it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.timetable.formats.xhstt.archive import Event
from core.timetable.model import Calendar
from core.timetable.rules.base import Rule
from core.timetable.rules.doubles import Doubles
from core.timetable.rules.one_run_a_day import OneRunADay
from core.timetable.rules.parts import Parts
from core.timetable.rules.points import Courses, CourseSets
from core.timetable.rules.run_together import RunTogether
from core.timetable.rules.separation import Separation
from core.timetable.rules.start_among import StartAmong
from core.timetable.rules.starts_in_windows import StartsInWindows

LONGEST = 2


@dataclass(frozen=True, slots=True)
class Joined:
    """The rules where some events are single periods that join."""

    events: frozenset[str]
    rules: tuple[Rule, ...]


def joined(events: Sequence[Event], rules: Sequence[Rule], calendar: Calendar) -> Joined:
    """Return which of these events may be single periods that join, and all rules with theirs written for that."""
    about: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for course in _concerned(rule):
            about[course].append(rule)
    free = [event for event in events if event.time is None and event.duration > 1]
    chosen = frozenset(event.id for event in free if _may_join(event, about[event.id], calendar))
    crossed: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for event in free:
        if event.id in chosen:
            crossed[_not_over(about[event.id], calendar)].append(event.id)
    durations = {event.id: event.duration for event in free if event.id in chosen}
    kept = [changed for rule in rules for changed in _rewritten(rule, durations)]
    runs = [
        OneRunADay(courses=Courses(courses=tuple(c)), longest=LONGEST, not_over=over) for over, c in crossed.items()
    ]
    return Joined(chosen, (*kept, *runs))


def _concerned(rule: Rule) -> Iterator[str]:
    """Yield the courses to whose cut or starts a rule gives a price."""
    match rule:
        case Parts() | StartAmong():
            yield from rule.courses.courses
        case StartsInWindows() | RunTogether():
            yield from (course for courses in rule.courses.sets for course in courses)
        case Separation():
            yield from (course for pair in rule.pairs for course in (pair.first, pair.second))
        case _:
            return


def _may_join(event: Event, about: Sequence[Rule], calendar: Calendar) -> bool:
    bounded = any(isinstance(rule, Parts) and not rule.others for rule in about)
    one_a_day = any(isinstance(rule, StartsInWindows) for rule in about)
    given = all(resource.reference is not None for resource in event.resources)
    return given and bounded and one_a_day and all(_allows(rule, event, calendar) for rule in about)


def _allows(rule: Rule, event: Event, calendar: Calendar) -> bool:
    """Tell whether a rule says the same of parts that are joined from single periods."""
    match rule:
        case Parts(others=True):
            return rule.shortest == rule.longest == LONGEST
        case Parts():
            return rule.hard and rule.shortest <= 1 and rule.longest == LONGEST
        case StartAmong():
            return rule.hard and rule.duration == LONGEST
        case StartsInWindows():
            alone = all(courses == (event.id,) for courses in rule.courses.sets if event.id in courses)
            days = {window.slots: (window.least, window.most) for window in rule.windows}
            return rule.hard and alone and days == dict.fromkeys(calendar.windows, (0, 1))
        case _:
            return False


def _not_over(about: Sequence[Rule], calendar: Calendar) -> tuple[int, ...]:
    """Return the slots from which no part of two periods may start, but for the last of a day."""
    liked = [frozenset(rule.slots) for rule in about if isinstance(rule, StartAmong)]
    last = {window[-1] for window in calendar.windows}
    return tuple(s for s in range(calendar.slots) if s not in last and any(s not in slots for slots in liked))


def _rewritten(rule: Rule, durations: Mapping[str, int]) -> Iterator[Rule]:
    """Yield a rule for the events that don't join, and what it says of those that do, by their durations."""
    match rule:
        case Parts():
            left = tuple(course for course in rule.courses.courses if course not in durations)
            yield rule.model_copy(update={"courses": Courses(courses=left)})
            mine: dict[tuple[int, int], list[str]] = defaultdict(list)
            for course in rule.courses.courses:
                if course in durations and _binds(rule, durations[course]):
                    mine[_doubles(rule, durations[course])].append(course)
            for (least, most), courses in mine.items():
                yield Doubles(
                    courses=Courses(courses=tuple(courses)),
                    least=least,
                    most=most,
                    hard=rule.hard,
                    weight=rule.weight,
                    cost=rule.cost,
                )
        case StartsInWindows():
            sets = tuple(courses for courses in rule.courses.sets if durations.keys().isdisjoint(courses))
            yield rule.model_copy(update={"courses": CourseSets(sets=sets)})
        case _:
            yield rule


def _binds(rule: Parts, duration: int) -> bool:
    """Tell whether a rule says anything of so many single periods, of which no three join."""
    least, most = _doubles(rule, duration)
    return least > 0 or most < duration // LONGEST


def _doubles(rule: Parts, duration: int) -> tuple[int, int]:
    """Return the least and most doubles that a rule allows: itself, or as many parts as it allows leave."""
    if rule.others:
        return rule.least, rule.most
    return max(0, duration - rule.most), max(0, duration - rule.least)
