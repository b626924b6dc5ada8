"""What ends the day, and what comes first on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, too_many

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class OrderOnDay(Rule):
    """Where a lesson of ``first`` and one of ``second`` are on one day, the first ends before the second starts.

    With all lessons of a class as ``first`` and its assembly as ``second``, the assembly ends the day. With
    ``who_share``, two lessons count only where some student attends both. Each two in the wrong order are a deviation.
    """

    kind: Literal["order_on_day"] = "order_on_day"
    first: Lessons
    second: Lessons
    who_share: bool = False

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two of one day in the wrong order."""
        for first, second in self._pairs(view.problem):
            if not view.all_placed((first, second)) or view.day(first) != view.day(second):
                continue
            if view.span(second).start < view.span(first).stop:
                late, early = view.span(first).start, view.span(second).start
                yield self.violation(
                    1,
                    f"{view.label(first)} on {view.calendar.label(late)} should come before {view.label(second)} on "
                    f"{view.calendar.label(early)} of that day.",
                    lessons=(first.id, second.id),
                    groups=(*first.groups, *second.groups),
                    slots=(late, early),
                )

    def lower(self, lowering: Lowering) -> None:
        """Order each pair on its day."""
        for first, second in self._pairs(lowering.problem):
            lowering.relate(self, first, second, Relation.ORDERED_ON_DAY)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/second")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        firsts = list(self.first.of(problem))
        for second in self.second.of(problem):
            near = {other for group in second.groups for other in problem.sharing[group]}
            for first in firsts:
                if first.id != second.id and (not self.who_share or not near.isdisjoint(first.groups)):
                    yield first, second
