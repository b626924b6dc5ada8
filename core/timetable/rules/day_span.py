"""How long somebody's days are, with their free periods."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS, MOST_PERIODS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import People
from core.timetable.rules.travel import clock_of_periods
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View

Pairs = tuple[tuple[int, int], ...]


class DaySpan(Rule):
    """Somebody's day is at most ``most`` periods from the first to the last lesson; on ``longer`` days a week one more.

    Free periods count, and a break counts as one. Each two periods with lessons that are too far from each other are
    one deviation, and so is each day too many that is one period longer.
    """

    kind: Literal["day_span"] = "day_span"
    people: People
    most: int = Field(ge=1, le=MOST_PERIODS)
    longer: int = Field(default=0, ge=0, le=MOST_DAYS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two periods that are too far from each other, and each week with too many longer days."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            for far, longer in self._weeks(view.calendar):
                for first, last in (two for two in far if busy.issuperset(two)):
                    yield self.violation(
                        1,
                        f"{view.name(who)} has lessons from {view.calendar.label(first)} to "
                        f"{view.calendar.period(last).name}, more than {counted(self._limit, 'period')}.",
                        slots=(first, last),
                        **whom(who),
                    )
                found = [two for two in longer if busy.issuperset(two)]
                if len(found) > self.longer:
                    yield self.violation(
                        len(found) - self.longer,
                        f"{view.name(who)} has {counted(len(found), 'day')} of {counted(self.most + 1, 'period')}; "
                        f"at most {self.longer} may be.",
                        slots=tuple(slot for two in found for slot in two),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Let of each two periods too far from each other one be free, and of the longer days some."""
        for lessons in lowering.people(self.people):
            for far, longer in self._weeks(lowering.calendar):
                if far:
                    lowering.bound(self, lessons, Measure.BUSY, far, high=1)
                if longer:
                    lowering.bound(
                        self,
                        lessons,
                        Measure.EXCESS_RUN,
                        longer,
                        run=1,
                        high=self.longer,
                        combine=Combine.SUM_VALUE,
                    )

    def _weeks(self, calendar: Calendar) -> Iterator[tuple[Pairs, Pairs]]:
        """Yield for each week the two periods that are never both busy, and those that make a longer day."""
        begins, ends = clock_of_periods(calendar)
        for week in calendar.weeks:
            spans = {two: ends[two[1]] - begins[two[0]] for day in week for two in combinations(day, 2)}
            far = tuple(two for two, span in spans.items() if span > self._limit)
            yield far, tuple(two for two, span in spans.items() if self.longer and span == self._limit)

    @property
    def _limit(self) -> int:
        """The periods of a day beyond which none may be."""
        return self.most + (1 if self.longer else 0)
