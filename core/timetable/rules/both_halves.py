"""Who works in the morning and in the afternoon of one day, where mornings and afternoons are days of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class BothHalves(Rule):
    """Somebody has lessons in both the morning and the afternoon of at most ``most`` days of a week.

    Days are mornings and afternoons in turn: the first two of a week are one real day, and so on. The deviation is the
    real days too many.
    """

    kind: Literal["both_halves"] = "both_halves"
    people: People = People(teachers=EVERY)
    most: int = Field(default=0, ge=0, le=MOST_DAYS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each week with too many whole days."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            for days in self._weeks(view.calendar):
                whole = [two for two in days if all(not busy.isdisjoint(half) for half in two)]
                if len(whole) > self.most:
                    names = ", ".join(view.day_name(view.calendar.day_of[morning[0]]) for morning, _ in whole)
                    yield self.violation(
                        len(whole) - self.most,
                        f"{view.name(who)} has lessons in both halves of {counted(len(whole), 'day')} ({names}); "
                        f"at most {self.most} may be.",
                        slots=tuple(slot for two in whole for half in two for slot in half if slot in busy),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the days both of whose halves are active, of each week."""
        for lessons in lowering.people(self.people):
            for days in self._weeks(lowering.calendar):
                windows = tuple((*morning, *afternoon) for morning, afternoon in days)
                if windows:
                    lowering.bound(self, lessons, Measure.MORE_DAYS, windows, high=self.most, combine=Combine.SUM_VALUE)

    def _weeks(self, calendar: Calendar) -> Iterator[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
        """Yield the (morning, afternoon) of each real day of a week."""
        for week in calendar.weeks:
            yield list(zip(week[::2], week[1::2], strict=False))
