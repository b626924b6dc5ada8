"""How many periods somebody has in a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.selecting import People
from core.timetable.wording import bounds, counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class PeriodsADay(Rule):
    """Somebody has from ``least`` to ``most`` periods in a day; a day off is fine too where ``or_zero`` says so.

    The deviation is what a day has too few or too many. ``least`` is judged once all their lessons are placed.
    """

    kind: Literal["periods_a_day"] = "periods_a_day"
    people: People
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int | None = Field(default=None, ge=0, le=MOST_SLOTS)
    or_zero: bool = True

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day with too few or too many periods."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            least = self.least if view.all_placed(lessons) else 0
            for day, window in enumerate(view.calendar.windows):
                there = tuple(slot for slot in window if slot in busy)
                most = len(window) if self.most is None else self.most
                deviation = outside(len(there), least, most, or_zero=self.or_zero)
                if deviation:
                    yield self.violation(
                        deviation,
                        f"{view.name(who)} has {counted(len(there), 'period')} on {view.day_name(day)}; "
                        f"{bounds(least, self.most)}.",
                        slots=there,
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the busy slots of each day."""
        for lessons in lowering.people(self.people):
            lowering.bound(
                self,
                lessons,
                Measure.BUSY,
                lowering.calendar.windows,
                low=self.least,
                high=lowering.calendar.slots if self.most is None else self.most,
                or_zero=self.or_zero,
            )
