"""What rules with several points of application are about: courses, sets of courses, needs, and whoever attends.

Forms with an objective of their own reckon a cost a point: all deviations of one course, say, are added up before the
cost function takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.rules.base import Rule
from core.timetable.rules.selecting import Part, Selection, Slots, slot_faults, unknown

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class Courses(Selection):
    """Courses, each a point."""

    courses: tuple[str, ...]

    def of(self, problem: Problem) -> Iterator[tuple[str, tuple[Lesson, ...]]]:
        """Yield each course that has lessons, with these."""
        return ((course, problem.courses[course]) for course in self.courses if course in problem.courses)

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each course that the problem doesn't know."""
        yield from unknown("course", self.courses, problem.courses, f"{where}/courses")


class CourseSets(Selection):
    """Sets of courses, each set a point."""

    sets: tuple[tuple[str, ...], ...]

    def of(self, problem: Problem) -> Iterator[tuple[tuple[Lesson, ...], ...]]:
        """Yield the lessons of each set, course by course."""
        for courses in self.sets:
            yield tuple(problem.courses[course] for course in dict.fromkeys(courses) if course in problem.courses)

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each course that the problem doesn't know."""
        for i, courses in enumerate(self.sets):
            yield from unknown("course", courses, problem.courses, f"{where}/sets/{i}")


class CourseNeed(Part):
    """One of the rooms that the lessons of a course need."""

    course: str
    need: int = Field(ge=0, le=5_000)

    def of(self, problem: Problem) -> Iterator[Lesson]:
        """Yield the lessons that have it."""
        return (lesson for lesson in problem.courses.get(self.course, ()) if self.need < len(lesson.rooms))


class Needs(Selection):
    """Needs of courses, each a point."""

    needs: tuple[CourseNeed, ...]

    def of(self, problem: Problem) -> Iterator[tuple[int, tuple[Lesson, ...]]]:
        """Yield (index of the need, lessons) of each."""
        return ((need.need, lessons) for need in self.needs if (lessons := tuple(need.of(problem))))

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each course that the problem doesn't know."""
        yield from unknown("course", [need.course for need in self.needs], problem.courses, f"{where}/needs")


class NeedSets(Selection):
    """Sets of needs, each set a point."""

    sets: tuple[tuple[CourseNeed, ...], ...]

    def of(self, problem: Problem) -> Iterator[list[tuple[Lesson, int]]]:
        """Yield each set's (lesson, index of the need)."""
        for needs in self.sets:
            yield [(lesson, need.need) for need in needs for lesson in need.of(problem)]

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each course that the problem doesn't know."""
        for i, needs in enumerate(self.sets):
            yield from unknown("course", [need.course for need in needs], problem.courses, f"{where}/sets/{i}")


class Attendees(Selection):
    """Teachers, groups and rooms by id, each a point. Where kinds share an id, they are one and the same."""

    who: tuple[str, ...]

    def of(self, problem: Problem) -> Iterator[Attendee]:
        """Yield each, once."""
        return (Attendee(problem, one) for one in dict.fromkeys(self.who))

    def told(self, problem: Problem) -> str:
        """Return who is chosen, by name."""
        return ", ".join(Attendee(problem, one).name for one in self.who)

    def faults(self, problem: Problem, where: str) -> Iterator[Fault]:
        """Yield each that is no teacher, group or room of the problem."""
        there = {*problem.teacher, *problem.group, *problem.room}
        yield from unknown("teacher, group or room", self.who, there, f"{where}/who")


class Attendee:
    """Somebody or something that is at lessons: always, or where it is given to them."""

    def __init__(self, problem: Problem, name: str) -> None:
        self.problem = problem
        self.id = name

    @property
    def name(self) -> str:
        """Its name for a person."""
        known = self.problem.teacher.get(self.id) or self.problem.group.get(self.id) or self.problem.room.get(self.id)
        return known.name if known else self.id

    @property
    def whom(self) -> dict[str, tuple[str, ...]]:
        """Its id as a violation names it."""
        there = {"teachers": self.problem.teacher, "groups": self.problem.group, "rooms": self.problem.room}
        return {field: (self.id,) for field, known in there.items() if self.id in known}

    @property
    def always(self) -> tuple[Lesson, ...]:
        """The lessons that it is at wherever they are: as teacher, group, or the only choice of a room."""
        return self.problem.attending.get(self.id, ())

    @property
    def perhaps(self) -> tuple[tuple[Lesson, int], ...]:
        """The (lesson, index of the need) that it may be given to, among others."""
        return self.problem.candidates.get(self.id, ())

    def there(self, view: View) -> list[Lesson]:
        """Return the placed lessons that it is at; twice, where it is there twice."""
        given = [lesson for lesson, need in self.perhaps if view.rooms(lesson)[need] == self.id]
        return view.placed([*self.held(view), *given])

    def held(self, view: View) -> Iterator[Lesson]:
        """Yield the lessons that it is at in any case, but for those to which it, the only choice, was not given."""
        for lesson in self.always:
            named = self.id in lesson.teachers or self.id in lesson.groups
            if named or lesson.id not in view.spans or self.id in view.rooms(lesson):
                yield lesson

    def settled(self, view: View) -> bool:
        """Tell whether too little is too little for good."""
        return view.complete or (not self.perhaps and view.all_placed(self.always))


class Window(Part):
    """Slots, and how many of what is counted may be in them."""

    slots: Slots
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int = Field(default=MOST_SLOTS, ge=0, le=MOST_SLOTS)


def window_faults(windows: Iterable[Sequence[int]], problem: Problem, where: str) -> Iterator[Fault]:
    """Yield a fault for each slot that isn't there and each window that is not in order."""
    for i, slots in enumerate(windows):
        yield from slot_faults(slots, problem, f"{where}/{i}")
        if list(slots) != sorted(set(slots)):
            yield Fault(f"{where}/{i}", "The slots of a window go up, each once.", code="invalid")


def price_each(
    rule: Rule,
    lowering: Lowering,
    lessons: Sequence[Lesson],
    amount: Callable[[Lesson], int],
    add: Callable[[Lesson, int], None],
) -> bool:
    """Add each lesson's own price where the cost of all together is the sum of these, and tell whether it is."""
    if rule.cost is not CostFunction.LINEAR and len(lessons) > 1:
        lowering.leave_to_checker(rule.kind)
        return False
    for lesson in lessons:
        add(lesson, rule.price(amount(lesson)))
    return True
