"""How far apart courses lie."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.cost_function import CostFunction
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.selecting import Part, unknown
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class CoursePair(Part):
    """A course, another one after it, and how many slots may lie between."""

    first: str
    second: str
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int | None = Field(default=None, ge=0, le=MOST_SLOTS)


class Separation(Rule):
    """All of a course lies before another one, with so many slots between as the pair says.

    The deviation of a pair is the slots too few or too many between the first one's end and the second one's start. It
    is judged once both are placed.
    """

    kind: Literal["separation"] = "separation"
    pairs: tuple[CoursePair, ...]

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each pair that lies too close, too far apart, or the wrong way round."""
        for pair, first, second in self._lessons(view.problem):
            if not view.all_placed((*first, *second)):
                continue
            end, start = max(view.span(one).stop for one in first), min(view.span(one).start for one in second)
            deviation = outside(start - end, pair.least, view.calendar.slots if pair.most is None else pair.most)
            if deviation:
                yield self.violation(
                    deviation,
                    f"{view.label(second[0])} starts {counted(start - end, 'period')} after {view.label(first[0])}; "
                    f"{bounds(pair.least, pair.most)}.",
                    lessons=(*(one.id for one in first), *(one.id for one in second)),
                    groups=(*first[0].groups, *second[0].groups),
                    slots=(end - 1, start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Put each block of the first before each of the second."""
        for pair, first, second in self._lessons(lowering.problem):
            alone = len(first) == len(second) == 1 and self.cost is CostFunction.STEP
            if pair.most is not None or not (self.hard or alone):
                lowering.leave_to_checker(self.kind)
                continue
            for one, other in product(first, second):
                lowering.relate(self, one, other, Relation.BEFORE, pair.least)

    def _lessons(self, problem: Problem) -> Iterator[tuple[CoursePair, tuple[Lesson, ...], tuple[Lesson, ...]]]:
        for pair in self.pairs:
            first, second = problem.courses.get(pair.first, ()), problem.courses.get(pair.second, ())
            if first and second:
                yield pair, first, second

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also each course that the problem doesn't know."""
        yield from super().faults(problem)
        for i, pair in enumerate(self.pairs):
            yield from unknown("course", (pair.first, pair.second), problem.courses, f"/pairs/{i}")
