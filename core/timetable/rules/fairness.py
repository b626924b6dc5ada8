"""What is unpleasant, shared fairly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import gaps
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View

Windows = tuple[tuple[int, ...], ...]
WORDS = {"gaps": "free period", "edge_slots": "first or last period"}


class Fairness(Rule):
    """Nobody has many more gaps, or first and last periods of a day, than ``allowance`` in the cycle.

    The deviation is what somebody has above the allowance. Its cost grows with the square unless the rule says
    otherwise, so that two for each of two teachers are cheaper than four for one. Gaps are judged once all lessons of
    the person are placed.
    """

    kind: Literal["fairness"] = "fairness"
    people: People = People(teachers=EVERY)
    what: Literal["gaps", "edge_slots"] = "gaps"
    allowance: int = Field(default=0, ge=0, le=MOST_SLOTS)
    cost: CostFunction = CostFunction.QUADRATIC

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each person who has more than the allowance."""
        windows = self._windows(view.calendar)
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            if self.what == "edge_slots":
                counting = [slot for window in windows for slot in window if slot in busy]
            else:
                counting = [slot for window in windows for slot in gaps(busy, window) if view.all_placed(lessons)]
            if len(counting) > self.allowance:
                yield self.violation(
                    len(counting) - self.allowance,
                    f"{view.name(who)} has {counted(len(counting), WORDS[self.what])} in the cycle; {self.allowance} "
                    "would be fair.",
                    slots=tuple(counting),
                    **whom(who),
                )

    def lower(self, lowering: Lowering) -> None:
        """Bound what each person has in the whole cycle."""
        measure = Measure.GAPS if self.what == "gaps" else Measure.BUSY
        windows = self._windows(lowering.calendar)
        for lessons in lowering.people(self.people):
            lowering.bound(self, lessons, measure, windows, high=self.allowance, combine=Combine.SUM_VALUE)

    def _windows(self, calendar: Calendar) -> Windows:
        if self.what == "gaps":
            return calendar.windows
        edges = sorted({slot for window in calendar.windows for slot in (window[0], window[-1])})
        return tuple((slot,) for slot in edges)
