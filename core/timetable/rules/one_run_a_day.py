"""Single periods of a course that make blocks where they meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import runs
from core.timetable.rules.points import Courses
from core.timetable.rules.selecting import Slots
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class OneRunADay(Rule):
    """What a course has in a day is one run of at most ``longest`` periods, none of two going over ``not_over``.

    So single lessons that meet are a block, and how long its blocks are is found with the timetable. The deviation is,
    day by day, the periods too many, the free ones between, those in which it has two lessons at once, and the slots of
    ``not_over`` after which it goes on.
    """

    kind: Literal["one_run_a_day"] = "one_run_a_day"
    courses: Courses
    longest: int = Field(default=2, ge=1, le=MOST_SLOTS)
    not_over: Slots = ()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day on which a course is longer than a block may be, or torn; gaps once all are placed."""
        for _, lessons in self.courses.of(view.problem):
            busy = view.busy(lessons)
            for window in view.calendar.windows:
                there = [slot for slot in window if slot in busy]
                twice = sum(slot in window for lesson in lessons for slot in view.span(lesson)) - len(there)
                deviation = max(0, len(there) - self.longest) + self._crossed(there) + twice
                if there and view.settled(lessons):
                    deviation += there[-1] - there[0] + 1 - len(there)
                if deviation:
                    day = view.day_name(view.calendar.day_of[window[0]])
                    parts = ", ".join(str(len(run)) for run in runs(busy, window))
                    yield self.violation(
                        deviation,
                        f"{view.label(lessons[0])} has {counted(len(there), 'period')} on {day}, in runs of {parts}; "
                        f"one run of {self.longest} at most may be.",
                        lessons=tuple(lesson.id for lesson in lessons),
                        groups=lessons[0].groups,
                        slots=tuple(there),
                    )

    def _crossed(self, there: list[int]) -> int:
        return sum(slot in there and slot + 1 in there for slot in self.not_over)

    def lower(self, lowering: Lowering) -> None:
        """Bound the periods and the gaps of each day, and what lies on both sides of a place not to go over.

        Lessons exclude each other where the rule is hard; else all together take as many slots as they have periods.
        """
        days = lowering.calendar.windows
        crossings = tuple(self._crossings(lowering.calendar))
        if not self.hard and self.cost is not CostFunction.LINEAR:
            lowering.leave_to_checker(self.kind)
            return
        for _, lessons in self.courses.of(lowering.problem):
            lowering.bound(self, lessons, Measure.BUSY, days, high=self.longest)
            lowering.bound(self, lessons, Measure.GAPS, days)
            if crossings:
                lowering.bound(self, lessons, Measure.BUSY, crossings, high=1)
            if self.hard:
                lowering.add_exclusive((lesson.id for lesson in lessons), ("lessons", self.kind))
            else:
                periods = sum(lesson.duration for lesson in lessons)
                lowering.bound(self, lessons, Measure.BUSY, (sum(days, ()),), low=periods, high=periods)

    def _crossings(self, calendar: Calendar) -> Iterator[tuple[int, int]]:
        for slot in self.not_over:
            if calendar.span(slot, 2) is not None:
                yield slot, slot + 1
