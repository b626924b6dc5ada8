"""Days of one length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside, shares
from core.timetable.rules.selecting import People
from core.timetable.wording import bounds, counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View

Windows = tuple[tuple[int, ...], ...]


class DailyBalance(Rule):
    """Somebody's periods lie evenly over the days on which they are available: each day the mean, rounded down or up.

    The deviation is the periods that a day has too few or too many; too few is judged once all lessons are placed.
    """

    kind: Literal["daily_balance"] = "daily_balance"
    people: People

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day that is too short or too long."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            windows, low, high = mean_day(view.problem, who, lessons)
            least = low if view.all_placed(lessons) else 0
            for window in windows:
                there = tuple(slot for slot in window if slot in busy)
                deviation = outside(len(there), least, high)
                if deviation:
                    day = view.day_name(view.calendar.day_of[window[0]])
                    yield self.violation(
                        deviation,
                        f"{view.name(who)} has {counted(len(there), 'period')} on {day}; {bounds(least, high)}.",
                        slots=there,
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the busy slots of each day by the mean."""
        problem = lowering.problem
        for who in self.people.of(problem):
            lessons = problem.lessons_of[who]
            windows, low, high = mean_day(problem, who, lessons)
            if lessons and windows:
                lowering.bound(self, lessons, Measure.BUSY, windows, low=low, high=high)


def mean_day(problem: Problem, who: tuple[str, str], lessons: tuple[Lesson, ...]) -> tuple[Windows, int, int]:
    """Return the days on which somebody is available, and the mean of their periods there, rounded down and up."""
    kind, one = who
    away = problem.teacher[one].unavailable if kind == "teacher" else problem.group[one].unavailable
    windows = tuple(window for window in problem.calendar.windows if not away.issuperset(window))
    periods = sum({problem.block_of[lesson.id]: lesson.duration for lesson in lessons}.values())
    return windows, *shares(periods, len(windows))
