"""Laws of a problem as FET's constraints."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from core.timetable.formats.fet.xml_writing import Field, element
from core.timetable.model import Lesson, Problem
from core.timetable.rules.selecting import People, by_course

Numbers = Mapping[str, str]
"""The number of each lesson's activity."""
Writer = Callable[[Any, Problem, Numbers], Iterator[str] | None]


def _constraint(name: str, *fields: Field) -> str:
    return element(f"Constraint{name}", ("Weight_Percentage", "100"), *fields, ("Active", "true"))


def _about(lessons: Sequence[Lesson], numbers: Numbers) -> list[Field]:
    return [
        ("Number_of_Activities", str(len(lessons))),
        *(("Activity_Id", numbers[lesson.id]) for lesson in lessons),
    ]


def _each(people: People, problem: Problem, what: str, field: Field) -> Iterator[str]:
    """Yield a constraint on each of some people who have lessons."""
    for kind, one in people.of(problem):
        if not problem.lessons_of[kind, one]:
            continue
        if kind == "teacher":
            yield _constraint(f"Teacher{what}", ("Teacher_Name", one), field)
        else:
            yield _constraint(f"StudentsSet{what}", field, ("Students", one))


def _apart(lessons: Sequence[Lesson], least: int, numbers: Numbers) -> Iterator[str]:
    if len(lessons) > 1:
        consecutive = ("Consecutive_If_Same_Day", "false")
        yield _constraint("MinDaysBetweenActivities", consecutive, *_about(lessons, numbers), ("MinDays", str(least)))


def one_block_a_day(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str] | None:
    """Keep blocks a day apart; FET knows no other number a day."""
    if rule.most != 1:
        return None
    found: dict[tuple[str, ...], list[Lesson]] = defaultdict(list)
    for lesson in rule.lessons.of(problem):
        by_group = [(lesson.subject, group) for group in sorted(set(lesson.groups))]
        for key in [(lesson.course,)] if rule.by == "course" else by_group:
            found[key].append(lesson)
    return (text for lessons in found.values() for text in _apart(lessons, 1, numbers))


def days_apart(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
    """Keep the days of a course apart."""
    chosen = list(rule.lessons.of(problem))
    for lessons in by_course(chosen) if rule.by == "course" else [chosen]:
        yield from _apart(lessons, rule.at_least, numbers)


def compact_day(rule: Any, problem: Problem, _numbers: Numbers) -> Iterator[str] | None:
    """Allow students no gap and no late morning; FET has no such word for teachers."""
    if rule.people.teachers:
        return None
    return (
        text
        for what, field in (
            ("MaxGapsPerWeek", ("Max_Gaps", "0")),
            ("EarlyMaxBeginningsAtSecondHour", ("Max_Beginnings_At_Second_Hour", "0")),
        )
        for text in _each(rule.people, problem, what, field)
    )


def gaps(rule: Any, problem: Problem, _numbers: Numbers) -> Iterator[str] | None:
    """Bound gaps; FET's don't count where somebody is not available."""
    if rule.days or rule.days_together != 1:
        return None
    what = "MaxGapsPerDay" if rule.each == "day" else "MaxGapsPerWeek"
    return _each(rule.people, problem, what, ("Max_Gaps", str(rule.most)))


def periods_a_day(rule: Any, problem: Problem, _numbers: Numbers) -> Iterator[str]:
    """Bound the periods of a day."""
    if rule.most is not None:
        yield from _each(rule.people, problem, "MaxHoursDaily", ("Maximum_Hours_Daily", str(rule.most)))
    if rule.least:
        for text in _each(rule.people, problem, "MinHoursDaily", ("Minimum_Hours_Daily", str(rule.least))):
            empty = f"<Allow_Empty_Days>{str(rule.or_zero).lower()}</Allow_Empty_Days>\n<Active>"
            yield text.replace("<Active>", empty)


def periods_in_a_row(rule: Any, problem: Problem, _numbers: Numbers) -> Iterator[str] | None:
    """Bound the periods without a rest; a break that is no hour of FET's is none there."""
    if rule.breaks_rest and any(period.break_after for day in problem.calendar.days for period in day.periods):
        return None
    return _each(rule.people, problem, "MaxHoursContinuously", ("Maximum_Hours_Continuously", str(rule.most)))


def working_days(rule: Any, problem: Problem, _numbers: Numbers) -> Iterator[str] | None:
    """Bound the days of a week; FET has one week."""
    if len(problem.calendar.weeks) > 1 or (rule.least and rule.people.groups):
        return None
    most = ("MaxDaysPerWeek", ("Max_Days_Per_Week", str(rule.most)))
    least = ("MinDaysPerWeek", ("Minimum_Days_Per_Week", str(rule.least)))
    wanted = [*([most] if rule.most is not None else ()), *([least] if rule.least else ())]
    return (text for what, field in wanted for text in _each(rule.people, problem, what, field))


def together(name: str) -> Writer:
    """Return the writer of a constraint on all the lessons that are meant."""

    def write(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
        lessons = list(rule.lessons.of(problem))
        if len(lessons) > 1:
            yield _constraint(name, *_about(lessons, numbers))

    return write


def same_start(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
    """Let the blocks that belong together start together."""
    for tied in rule.links(problem):
        if len(tied) > 1:
            yield _constraint("ActivitiesSameStartingTime", *_about([problem.lesson[one] for one in tied], numbers))


def in_pairs(name: str) -> Writer:
    """Return the writer of a constraint on each first with its second."""

    def write(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
        firsts, seconds = list(rule.first.of(problem)), list(rule.second.of(problem))
        pairs: Iterable[tuple[Lesson, Lesson]] = zip(firsts, seconds, strict=False)
        if rule.kind == "order":
            pairs = ((one, other) for one in firsts for other in seconds if one.id != other.id)
        for one, other in pairs:
            ids = ("First_Activity_Id", numbers[one.id]), ("Second_Activity_Id", numbers[other.id])
            yield _constraint(name, *ids)

    return write


def not_together(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
    """Keep each two from each other's time."""
    seconds = list(rule.second.of(problem))
    for one in rule.first.of(problem):
        for other in seconds:
            if one.id != other.id:
                yield _constraint("ActivitiesNotOverlapping", *_about([one, other], numbers))


def apart_on_day(rule: Any, problem: Problem, numbers: Numbers) -> Iterator[str]:
    """Leave periods between each two of a day."""
    for pair in combinations(rule.lessons.of(problem), 2):
        yield _constraint("MinGapsBetweenActivities", *_about(pair, numbers), ("MinGaps", str(rule.at_least)))


WRITERS: dict[str, Writer] = {
    "one_block_a_day": one_block_a_day,
    "days_apart": days_apart,
    "compact_day": compact_day,
    "gaps": gaps,
    "periods_a_day": periods_a_day,
    "periods_in_a_row": periods_in_a_row,
    "working_days": working_days,
    "same_start": same_start,
    "same_day": together("ActivitiesSameStartingDay"),
    "no_overlap": together("ActivitiesNotOverlapping"),
    "next_to": in_pairs("TwoActivitiesConsecutive"),
    "order": in_pairs("TwoActivitiesOrdered"),
    "not_together": not_together,
    "apart_on_day": apart_on_day,
}
"""By the rule's kind; what returns None has no word for this rule."""
