"""Free periods between somebody's lessons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import gaps
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class Gaps(Rule):
    """Somebody has at most ``most`` free periods between the first and the last lesson of a day, or in a week's days.

    A break is no period and so no gap; a free period in which somebody is not available is one. The deviation is the
    gaps too many. It is judged once all lessons of the person are placed, because the others may fill a gap.
    """

    kind: Literal["gaps"] = "gaps"
    people: People = People(teachers=EVERY)
    most: int = Field(default=0, ge=0, le=1_344)
    each: Literal["day", "week"] = "day"

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day, or week, with too many gaps."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons) if view.all_placed(lessons) else frozenset()
            for windows in self._counted_together(view.calendar):
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

    def _counted_together(self, calendar: Calendar) -> Iterator[tuple[tuple[int, ...], ...]]:
        yield from ((window,) for window in calendar.windows) if self.each == "day" else calendar.weeks

    def lower(self, lowering: Lowering) -> None:
        """Bound the gaps of each day, or of all days of a week together."""
        for lessons in lowering.people(self.people):
            if self.each == "day":
                lowering.bound(self, lessons, Measure.GAPS, lowering.calendar.windows, high=self.most)
            else:
                for week in lowering.calendar.weeks:
                    lowering.bound(self, lessons, Measure.GAPS, week, high=self.most, combine=Combine.SUM_VALUE)
