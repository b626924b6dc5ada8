"""How many blocks of courses start when."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.points import CourseSets, Window, window_faults
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class StartsInWindows(Rule):
    """Of the blocks of a set of courses, so many start in each window of slots as it says.

    The deviation of a set is what all windows have too few or too many. Too few is judged once all are placed.
    """

    kind: Literal["starts_in_windows"] = "starts_in_windows"
    courses: CourseSets
    windows: tuple[Window, ...]

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each set with too few or too many starts in some windows."""
        for lessons in self._lessons(view.problem):
            starts = [view.span(lesson).start for lesson in view.placed(lessons)]
            settled = view.settled(lessons)
            astray = [
                (window, there, by)
                for window in self.windows
                if (there := [start for start in starts if start in window.slots]) is not None
                and (by := outside(len(there), window.least if settled else 0, window.most))
            ]
            if astray:
                window, there, _ = astray[0]
                first = view.calendar.label(window.slots[0]) if window.slots else "no period"
                yield self.violation(
                    sum(by for *_, by in astray),
                    f"{view.label(lessons[0])} has {counted(len(there), 'block')} in the periods from {first}; "
                    f"{bounds(window.least, window.most)}.",
                    lessons=tuple(lesson.id for lesson in lessons),
                    groups=lessons[0].groups,
                    slots=tuple(sorted({start for _, found, _ in astray for start in found})),
                )

    def lower(self, lowering: Lowering) -> None:
        """Bound the starts in windows, those of one bound together."""
        alike: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
        for window in self.windows:
            alike[window.least, window.most].append(window.slots)
        for lessons in self._lessons(lowering.problem):
            blocks = Counter(lowering.block(lesson.id) for lesson in lessons)
            split = len(alike) > 1 and self.cost is not CostFunction.LINEAR and not self.hard
            if split or max(blocks.values()) > 1:
                lowering.leave_to_checker(self.kind)
                continue
            together = Combine.EACH if self.cost is CostFunction.LINEAR else Combine.SUM_DEVIATION
            for (least, most), windows in alike.items():
                lowering.bound(self, lessons, Measure.STARTS, tuple(windows), low=least, high=most, combine=together)

    def _lessons(self, problem: Problem) -> Iterator[list[Lesson]]:
        for courses in self.courses.of(problem):
            if lessons := [lesson for course in courses for lesson in course]:
                yield lessons

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also what is wrong with the windows."""
        yield from super().faults(problem)
        yield from window_faults([window.slots for window in self.windows], problem, "/windows")
