"""How many days in a row somebody comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from core.timetable.bounds import MOST_DAYS
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import People
from core.timetable.wording import whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class DaysInARow(Rule):
    """Somebody has lessons on at most ``most`` days in a row of a week.

    Each row of one day more that is without a free day is one deviation: of six days in a row, with three allowed, the
    first four, the middle four and the last four.
    """

    kind: Literal["days_in_a_row"] = "days_in_a_row"
    people: People
    most: int = Field(ge=1, le=MOST_DAYS)
    first_days: tuple[Annotated[int, Field(ge=0, lt=MOST_DAYS)], ...] = ()
    """Only rows that begin on these, by their index; all where none is named."""

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each row of days that is too long."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons)
            for row in self._rows(view.calendar):
                if all(not busy.isdisjoint(day) for day in row):
                    first, last = (view.day_name(view.calendar.day_of[day[0]]) for day in (row[0], row[-1]))
                    yield self.violation(
                        1,
                        f"{view.name(who)} has lessons on each day from {first} to {last}; "
                        f"at most {self.most} in a row may be.",
                        slots=tuple(slot for day in row for slot in day if slot in busy),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Let each row of one day more have a free one."""
        for lessons in lowering.people(self.people):
            for row in self._rows(lowering.calendar):
                lowering.bound(self, lessons, Measure.ACTIVE, row, high=self.most, combine=Combine.SUM_VALUE)

    def _rows(self, calendar: Calendar) -> Iterator[tuple[tuple[int, ...], ...]]:
        """Yield each row of one day more than may be, within a week."""
        for week in calendar.weeks:
            for i in range(len(week) - self.most):
                if not self.first_days or calendar.day_of[week[i][0]] in self.first_days:
                    yield week[i : i + self.most + 1]
