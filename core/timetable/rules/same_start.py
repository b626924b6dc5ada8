"""Option blocks: what has to run at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, zip_longest
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, by_course, too_many

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class SameStart(Rule):
    """Lessons start together: the first blocks of all courses that are meant, then the second blocks, and so on.

    A course's blocks count from the longest to the shortest, so that doubles meet doubles. The deviation of each two
    that belong together is 1 where they don't start together. Where the rule is hard, those of one length are placed
    as one.
    """

    kind: Literal["same_start"] = "same_start"
    lessons: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two that should start together and don't."""
        for one, other in self._pairs(view.problem):
            if view.all_placed((one, other)) and view.span(one).start != view.span(other).start:
                yield self.violation(
                    1,
                    f"{view.label(one)} on {view.calendar.label(view.span(one).start)} and {view.label(other)} on "
                    f"{view.calendar.label(view.span(other).start)} should start together.",
                    lessons=(one.id, other.id),
                    groups=(*one.groups, *other.groups),
                    slots=(view.span(one).start, view.span(other).start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Give each two one start; those that are placed as one have it already."""
        for one, other in self._pairs(lowering.problem):
            lowering.relate(self, one, other, Relation.SAME_START)

    def links(self, problem: Problem) -> Iterator[tuple[str, ...]]:
        """Yield the lessons of one length that start together."""
        for together in self._together(problem):
            alike: dict[int, list[str]] = defaultdict(list)
            for lesson in together:
                alike[lesson.duration].append(lesson.id)
            yield from (tuple(ids) for ids in alike.values())

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/lessons")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        for together in self._together(problem):
            yield from combinations(together, 2)

    def _together(self, problem: Problem) -> Iterator[list[Lesson]]:
        courses = [
            sorted(course, key=lambda lesson: -lesson.duration) for course in by_course(self.lessons.of(problem))
        ]
        for together in zip_longest(*courses):
            yield [lesson for lesson in together if lesson is not None]
