"""Free periods between somebody's lessons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS, MOST_SLOTS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import gaps
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Problem
    from core.timetable.view import View

Windows = tuple[tuple[int, ...], ...]


class Gaps(Rule):
    """Somebody has at most ``most`` free periods between the first and the last lesson of a day, or in a week's days.

    A break is no period and so no gap; a free period in which somebody is not available is one, unless ``over_absence``
    says otherwise. The deviation is the gaps too many. It is judged once all lessons of the person are placed, because
    the others may fill a gap.
    """

    kind: Literal["gaps"] = "gaps"
    people: People = People(teachers=EVERY)
    most: int = Field(default=0, ge=0, le=MOST_SLOTS)
    each: Literal["day", "week"] = "day"
    days_together: int = Field(default=1, ge=1, le=MOST_DAYS)
    """How many days in a row count as one, where mornings and afternoons are days of their own."""
    days: tuple[Annotated[int, Field(ge=0, le=27)], ...] = ()
    """Only these, by their index; all where none is named."""
    over_absence: bool = True

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day, or week, with too many gaps."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons) if view.all_placed(lessons) else frozenset()
            for windows in self._counted_together(view.problem, who):
                free = [slot for window in windows for slot in gaps(busy, window)]
                if len(free) > self.most:
                    yield self.violation(
                        len(free) - self.most,
                        f"{view.name(who)} has {counted(len(free), 'free period')} between lessons "
                        f"{self._when(view, free[0])}; at most {self.most} may be.",
                        slots=tuple(free),
                        **whom(who),
                    )

    def _when(self, view: View, slot: int) -> str:
        day = view.calendar.day_of[slot]
        week = view.calendar.days[day].week
        return f"on {view.day_name(day)}" if self.each == "day" else f"in week {week}" if week else "in the week"

    def _counted_together(self, problem: Problem, who: tuple[str, str]) -> Iterator[Windows]:
        """Yield the windows of each day, or each week, without what is left out for somebody."""
        calendar = problem.calendar
        kind, one = who
        away = problem.teacher[one].unavailable if kind == "teacher" else problem.group[one].unavailable
        left_out = frozenset[int]() if self.over_absence else away
        together = batched_days(calendar.windows, self.days_together) if self.each == "day" else calendar.weeks
        for windows in together:
            kept = [window for window in windows if not self.days or calendar.day_of[window[0]] in self.days]
            yield tuple(tuple(slot for slot in window if slot not in left_out) for window in kept)

    def lower(self, lowering: Lowering) -> None:
        """Bound the gaps of each day, or of all days of a week together."""
        for who in self.people.of(lowering.problem):
            lessons = lowering.problem.lessons_of[who]
            together = [[w for w in windows if w] for windows in self._counted_together(lowering.problem, who)]
            if not lessons:
                continue
            if all(len(windows) < 2 for windows in together):
                alone = tuple(window for windows in together for window in windows)
                lowering.bound(self, lessons, Measure.GAPS, alone, high=self.most)
                continue
            for windows in together:
                lowering.bound(self, lessons, Measure.GAPS, tuple(windows), high=self.most, combine=Combine.SUM_VALUE)


def batched_days(windows: Windows, size: int) -> Iterator[Windows]:
    """Yield so many days in a row at a time."""
    yield from (windows[i : i + size] for i in range(0, len(windows), size))
