"""What may not be at the same time as what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, too_many
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class NotTogether(Rule):
    """No lesson of ``first`` is at the same time as one of ``second``, whoever teaches or attends them.

    The deviation of each two is the periods in which both are.
    """

    kind: Literal["not_together"] = "not_together"
    first: Lessons
    second: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two that overlap."""
        for one, other in self._pairs(view.problem):
            before, after = view.span(one), view.span(other)
            both = range(max(before.start, after.start), min(before.stop, after.stop))
            if before and after and both:
                yield self.violation(
                    len(both),
                    f"{view.label(one)} and {view.label(other)} should not be at the same time, and are for "
                    f"{counted(len(both), 'period')} from {view.calendar.label(both[0])}.",
                    lessons=(one.id, other.id),
                    groups=(*one.groups, *other.groups),
                    slots=tuple(both),
                )

    def lower(self, lowering: Lowering) -> None:
        """Keep each pair apart in time."""
        for one, other in self._pairs(lowering.problem):
            lowering.relate(self, one, other, Relation.NO_OVERLAP)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/second")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        seconds = list(self.second.of(problem))
        return ((first, second) for first in self.first.of(problem) for second in seconds if first.id != second.id)
