"""Courses that run at one time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import CourseSets
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class RunTogether(Rule):
    """Where one course of a set is on, all of them are. The deviation of a set is the slots in which only some are.

    It is judged once all lessons of the set are placed. Where the rule is hard, blocks of one length are placed as one.
    """

    kind: Literal["run_together"] = "run_together"
    courses: CourseSets

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each set of which only some run at a time."""
        for courses in self.courses.of(view.problem):
            lessons = [lesson for course in courses for lesson in course]
            if not view.settled(lessons):
                continue
            running = [view.busy(course) for course in courses]
            some = sorted(frozenset[int]().union(*running) - running[0].intersection(*running))
            if some:
                yield self.violation(
                    len(some),
                    f"{view.label(lessons[0])} and what should run with it are not on together for "
                    f"{counted(len(some), 'period')}, first on {view.calendar.label(some[0])}.",
                    lessons=tuple(lesson.id for lesson in lessons),
                    groups=tuple(dict.fromkeys(group for lesson in lessons for group in lesson.groups)),
                    slots=tuple(some),
                )

    def links(self, problem: Problem) -> Iterator[tuple[str, ...]]:
        """Yield the blocks that start together: each course's longest, then the second longest, and so on."""
        for courses in self.courses.of(problem):
            if _alike(courses):
                ordered = [sorted(course, key=lambda lesson: -lesson.duration) for course in courses]
                yield from (tuple(lesson.id for lesson in row) for row in zip(*ordered, strict=True))

    def lower(self, lowering: Lowering) -> None:
        """Price each slot in which some run and others don't; what is placed as one is on together already."""
        for courses in self.courses.of(lowering.problem):
            blocks = [frozenset(lowering.block(lesson.id) for lesson in course) for course in courses]
            if len(set(blocks)) < 2:
                continue
            lengths = {lesson.duration for course in courses for lesson in course}
            shared = len(frozenset().union(*blocks)) < sum(len(of_course) for of_course in blocks)
            if self.hard or shared or len(lengths) > 1 or self.cost is not CostFunction.LINEAR:
                lowering.leave_to_checker(self.kind)
            else:
                self._count_slots(lowering, courses, lengths.pop())

    def _count_slots(self, lowering: Lowering, courses: tuple[tuple[Lesson, ...], ...], length: int) -> None:
        """Count, for each slot, the starts from which a block is on: either none or one a course."""
        windows = tuple(
            tuple(start for start in range(slot - length + 1, slot + 1) if start in window)
            for window in lowering.calendar.windows
            for slot in window
        )
        lowering.add_term(
            lessons=(lesson.id for course in courses for lesson in course),
            measure=Measure.STARTS,
            windows=windows,
            low=len(courses),
            high=len(courses),
            or_zero=True,
            combine=Combine.EACH,
            function=CostFunction.STEP,
            hard=False,
            weight=self.weight,
        )


def _alike(courses: tuple[tuple[Lesson, ...], ...]) -> bool:
    """Tell whether all courses have blocks of the same lengths."""
    return len({frozenset(Counter(lesson.duration for lesson in course).items()) for course in courses}) == 1
