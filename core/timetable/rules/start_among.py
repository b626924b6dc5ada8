"""When the lessons of a course start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Courses
from core.timetable.rules.selecting import Slots
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson
    from core.timetable.view import View


class StartAmong(Rule):
    """Blocks of a course, or those of one length, start in ``slots``. The deviation is the periods of the others."""

    kind: Literal["start_among"] = "start_among"
    courses: Courses
    slots: Slots
    duration: int | None = Field(default=None, ge=1, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each course with blocks that start elsewhere."""
        liked = frozenset(self.slots)
        for _, lessons in self.courses.of(view.problem):
            astray = [lesson for lesson in view.placed(self._meant(lessons)) if view.span(lesson).start not in liked]
            if astray:
                periods = sum(lesson.duration for lesson in astray)
                yield self.violation(
                    periods,
                    f"{view.label(astray[0])} has {counted(periods, 'period')} in blocks that start at other times "
                    f"than they should, first on {view.calendar.label(view.span(astray[0]).start)}.",
                    lessons=tuple(lesson.id for lesson in astray),
                    groups=astray[0].groups,
                    slots=tuple(view.span(lesson).start for lesson in astray),
                )

    def _meant(self, lessons: tuple[Lesson, ...]) -> list[Lesson]:
        return [lesson for lesson in lessons if self.duration in {None, lesson.duration}]

    def lower(self, lowering: Lowering) -> None:
        """Forbid other starts, or give them their price."""
        others = sorted(set(range(lowering.calendar.slots)) - set(self.slots))
        for _, all_lessons in self.courses.of(lowering.problem):
            lessons = self._meant(all_lessons)
            if self.hard:
                for lesson in lessons:
                    lowering.forbid(lesson.id, others)
            elif self.cost is CostFunction.LINEAR or len(lessons) == 1:
                for lesson in lessons:
                    for start in others:
                        lowering.add_start_cost(lesson.id, start, self.price(lesson.duration))
            elif lessons:
                self._price_together(lowering, lessons, tuple(others))

    def _price_together(self, lowering: Lowering, lessons: list[Lesson], others: tuple[int, ...]) -> None:
        """Price blocks of one length by their number: a square of periods is a square of blocks."""
        lengths = {lesson.duration for lesson in lessons}
        if len(lengths) > 1:
            lowering.leave_to_checker(self.kind)
            return
        lowering.add_term(
            lessons=(lesson.id for lesson in lessons),
            measure=Measure.STARTS,
            windows=(others,),
            high=0,
            combine=Combine.SUM_VALUE,
            function=self.cost,
            hard=False,
            weight=self.price(lengths.pop()),
        )
