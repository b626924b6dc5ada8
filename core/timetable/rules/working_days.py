"""On how many days somebody comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS, MOST_SLOTS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.selecting import People
from core.timetable.wording import bounds, counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class WorkingDays(Rule):
    """Somebody has lessons on ``least`` to ``most`` days of a week, each week of the cycle by itself.

    The deviation is the days too few or too many. ``least`` is judged once all their lessons are placed.
    """

    kind: Literal["working_days"] = "working_days"
    people: People
    least: int = Field(default=0, ge=0, le=MOST_DAYS)
    most: int | None = Field(default=None, ge=0, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each week with too few or too many days."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            least = self.least if view.all_placed(lessons) else 0
            for week in view.calendar.weeks:
                days = [window for window in week if not busy.isdisjoint(window)]
                deviation = outside(len(days), least, len(week) if self.most is None else self.most)
                if deviation:
                    names = ", ".join(view.day_name(view.calendar.day_of[window[0]]) for window in days)
                    yield self.violation(
                        deviation,
                        f"{view.name(who)} has lessons on {counted(len(days), 'day')} ({names or 'none'}); "
                        f"{bounds(least, self.most)}.",
                        slots=tuple(slot for window in days for slot in window if slot in busy),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the active days of each week."""
        for lessons in lowering.people(self.people):
            for week in lowering.calendar.weeks:
                high = len(week) if self.most is None else self.most
                lowering.bound(
                    self, lessons, Measure.ACTIVE, week, low=self.least, high=high, combine=Combine.SUM_VALUE
                )
