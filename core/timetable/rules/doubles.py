"""How many lessons of a course share a day with another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.points import Courses
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class Doubles(Rule):
    """Of a course's lessons, ``least`` to ``most`` come on a day that has one of them already.

    Where no day has more than two, that many are doubles. It is judged once all lessons are placed.
    """

    kind: Literal["doubles"] = "doubles"
    courses: Courses
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int = Field(default=MOST_SLOTS, ge=0, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each course with too few or too many."""
        for _, lessons in self.courses.of(view.problem):
            if not view.all_placed(lessons):
                continue
            busy = view.busy(lessons)
            days = sum(not busy.isdisjoint(window) for window in view.calendar.windows)
            shared = len(lessons) - days
            least, most = max(0, len(lessons) - self.most), max(0, len(lessons) - self.least)
            deviation = outside(days, least, most)
            if deviation:
                yield self.violation(
                    deviation,
                    f"{view.label(lessons[0])} has {counted(shared, 'lesson')} on a day that has one already; "
                    f"{bounds(self.least, self.most)}.",
                    lessons=tuple(lesson.id for lesson in lessons),
                    groups=lessons[0].groups,
                )

    def lower(self, lowering: Lowering) -> None:
        """Bound the days of each course: the fewer, the more lessons share one."""
        days = lowering.calendar.windows
        for _, lessons in self.courses.of(lowering.problem):
            lowering.bound(
                self,
                lessons,
                Measure.ACTIVE,
                days,
                low=max(0, len(lessons) - self.most),
                high=max(0, len(lessons) - self.least),
                combine=Combine.SUM_VALUE,
            )
