"""How long somebody goes without a rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import runs
from core.timetable.rules.selecting import People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class PeriodsInARow(Rule):
    """Somebody has at most ``most`` periods in a row. A break is a rest, unless ``breaks_rest`` says that it is none.

    The deviation is the periods by which runs are too long, added up over a day, or over the part of a day between two
    breaks where these count.
    """

    kind: Literal["periods_in_a_row"] = "periods_in_a_row"
    people: People
    most: int = Field(ge=1, le=MOST_SLOTS)
    breaks_rest: bool = True

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each stretch with runs that are too long."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            for window in self._windows(view.calendar):
                long = [run for run in runs(busy, window) if len(run) > self.most]
                if long:
                    longest = max(long, key=len)
                    yield self.violation(
                        sum(len(run) - self.most for run in long),
                        f"{view.name(who)} has {counted(len(longest), 'period')} in a row from "
                        f"{view.calendar.label(longest[0])}; at most {self.most} may be.",
                        slots=tuple(slot for run in long for slot in run),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the runs of each stretch."""
        windows = self._windows(lowering.calendar)
        for lessons in lowering.people(self.people):
            lowering.bound(self, lessons, Measure.EXCESS_RUN, windows, run=self.most)

    def _windows(self, calendar: Calendar) -> tuple[tuple[int, ...], ...]:
        return calendar.stretches if self.breaks_rest else calendar.windows
