"""Random tiny schools with a timetable that breaks no law, though it may not be complete."""

from random import Random

from core.timetable.checker import validate
from core.timetable.model import Lesson, Placement, Problem, Timetable
from tests.factories.small_problems import small_problem


def placed_school(random: Random, *, rules: int = 2) -> tuple[Problem, Timetable]:
    """Return a school and a timetable that places what it can, one set of tied lessons after the other."""
    problem = small_problem(random, rules=rules)
    timetable = Timetable()
    for together in problem.tied:
        lessons = [problem.lessons[i] for i in together]
        starts = list(range(problem.calendar.slots))
        random.shuffle(starts)
        tried = (_with(random, timetable, lessons, start) for start in starts)
        timetable = next((found for found in tried if validate(problem, found).valid), timetable)
    return problem, timetable


def _with(random: Random, timetable: Timetable, lessons: list[Lesson], start: int) -> Timetable:
    added = tuple(
        Placement(
            lesson=lesson.id,
            slot=start,
            rooms=tuple(
                random.choice([choice.room for choice in need.choices]) if lesson.locked_rooms is None else locked
                for need, locked in zip(lesson.rooms, lesson.locked_rooms or lesson.rooms, strict=True)
            ),
        )
        for lesson in lessons
    )
    return Timetable(placements=(*timetable.placements, *added))
