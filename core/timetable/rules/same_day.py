"""What has to be on one day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons
from core.timetable.wording import listed

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class SameDay(Rule):
    """All these lessons are on one day. The deviation is the further days on which some of them are."""

    kind: Literal["same_day"] = "same_day"
    lessons: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield one violation where the lessons take more than one day."""
        placed = view.placed(self.lessons.of(view.problem))
        days = sorted({view.day(lesson) for lesson in placed})
        if len(days) > 1:
            what = listed(sorted({view.label(lesson) for lesson in placed}))
            yield self.violation(
                len(days) - 1,
                f"{what} should be on one day, and are on {listed([view.day_name(day) for day in days])}.",
                lessons=tuple(lesson.id for lesson in placed),
                slots=tuple(view.span(lesson).start for lesson in placed),
            )

    def lower(self, lowering: Lowering) -> None:
        """Allow one active day."""
        lessons = list(self.lessons.of(lowering.problem))
        if len(lessons) > 1:
            windows = lowering.calendar.windows
            lowering.bound(self, lessons, Measure.ACTIVE, windows, high=1, combine=Combine.SUM_VALUE)
