"""What comes before what in the cycle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, too_many
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class Order(Rule):
    """Every block of ``first`` ends before any block of ``second`` starts, with ``between`` periods in between.

    Whoever teaches or attends them: narrow the selections to a class where the order is the class's. Each two in the
    wrong order are one deviation. A hard order that comes back to its beginning is refused before any search.
    """

    kind: Literal["order"] = "order"
    first: Lessons
    second: Lessons
    between: int = Field(default=0, ge=0, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two in the wrong order."""
        for first, second in self._pairs(view.problem):
            if view.all_placed((first, second)) and view.span(second).start < view.span(first).stop + self.between:
                late, early = view.span(first).start, view.span(second).start
                room = f" with {counted(self.between, 'period')} between" if self.between else ""
                yield self.violation(
                    1,
                    f"{view.label(first)} on {view.calendar.label(late)} should come before {view.label(second)} on "
                    f"{view.calendar.label(early)}{room}.",
                    lessons=(first.id, second.id),
                    groups=(*first.groups, *second.groups),
                    slots=(late, early),
                )

    def lower(self, lowering: Lowering) -> None:
        """Put each first before each second."""
        for first, second in self._pairs(lowering.problem):
            lowering.relate(self, first, second, Relation.BEFORE, self.between)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/second")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        seconds = list(self.second.of(problem))
        return ((first, second) for first in self.first.of(problem) for second in seconds if first.id != second.id)
