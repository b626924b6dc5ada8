"""What has to be near each other in the week."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class DaysWithin(Rule):
    """The days of each two of these lessons differ by at most ``at_most``.

    Each two days that lie further apart, and on both of which some of these lessons are, are one deviation.
    """

    kind: Literal["days_within"] = "days_within"
    lessons: Lessons
    at_most: int = Field(default=1, ge=0, le=MOST_DAYS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two days that are too far apart."""
        lessons = view.placed(self.lessons.of(view.problem))
        days = sorted({view.day(lesson) for lesson in lessons})
        for early, late in combinations(days, 2):
            if late - early > self.at_most:
                yield self.violation(
                    1,
                    f"{view.label(lessons[0])} and what belongs to it are on {view.day_name(early)} and "
                    f"{view.day_name(late)}, more than {counted(self.at_most, 'day')} apart.",
                    lessons=tuple(lesson.id for lesson in lessons if view.day(lesson) in {early, late}),
                )

    def lower(self, lowering: Lowering) -> None:
        """Let of each two days that are too far apart one be without these lessons."""
        lessons = list(self.lessons.of(lowering.problem))
        windows = lowering.calendar.windows
        for early, late in combinations(range(len(windows)), 2):
            if late - early > self.at_most and len(lessons) > 1:
                two = (windows[early], windows[late])
                lowering.bound(self, lessons, Measure.ACTIVE, two, high=1, combine=Combine.SUM_VALUE)
