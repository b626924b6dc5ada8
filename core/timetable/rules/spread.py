"""A course's blocks evenly over the days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside, shares
from core.timetable.rules.selecting import Lessons, by_course
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class Spread(Rule):
    """A course's blocks lie evenly over the days of the cycle: on each day its share, rounded down or up.

    Five blocks in five days are one a day; seven are one or two. The deviation is the blocks that a day has too few or
    too many; too few is judged once all blocks are placed.
    """

    kind: Literal["spread"] = "spread"
    lessons: Lessons = Lessons()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day with too few or too many blocks of a course."""
        for lessons in by_course(self.lessons.of(view.problem)):
            low, high = self._share(view.problem, lessons)
            least = low if view.all_placed(lessons) else 0
            starts = view.starts(lessons)
            for day, window in enumerate(view.calendar.windows):
                there = [lesson for slot in window for lesson in starts.get(slot, ())]
                deviation = outside(len(there), least, high)
                if deviation:
                    yield self.violation(
                        deviation,
                        f"{view.label(lessons[0])} has {counted(len(there), 'block')} on {view.day_name(day)}; "
                        f"{bounds(least, high)}.",
                        lessons=tuple(lesson.id for lesson in there),
                        groups=lessons[0].groups,
                        slots=tuple(view.span(lesson).start for lesson in there),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the starts of each day by the share."""
        windows = lowering.calendar.windows
        for lessons in by_course(self.lessons.of(lowering.problem)):
            low, high = self._share(lowering.problem, lessons)
            lowering.bound(self, lessons, Measure.STARTS, windows, low=low, high=high)

    def _share(self, problem: Problem, lessons: list[Lesson]) -> tuple[int, int]:
        return shares(len({problem.block_of[lesson.id] for lesson in lessons}), len(problem.calendar.days))
