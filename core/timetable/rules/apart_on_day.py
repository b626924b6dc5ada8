"""A rest between two lessons of one day."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, too_many
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class ApartOnDay(Rule):
    """Between each two of these lessons that are on one day lie at least ``at_least`` periods.

    Each two between which fewer lie are one deviation.
    """

    kind: Literal["apart_on_day"] = "apart_on_day"
    lessons: Lessons
    at_least: int = Field(default=1, ge=0, le=48)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two of one day that are too near."""
        for one, other in combinations(view.placed(self.lessons.of(view.problem)), 2):
            if view.day(one) != view.day(other):
                continue
            before, after = view.span(one), view.span(other)
            between = max(after.start - before.stop, before.start - after.stop)
            if between < self.at_least:
                yield self.violation(
                    1,
                    f"{view.label(one)} and {view.label(other)} are both on {view.day_name(view.day(one))}, with less "
                    f"than {counted(self.at_least, 'period')} between.",
                    lessons=(one.id, other.id),
                    groups=one.groups,
                    slots=(before.start, after.start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Keep each pair of a day apart."""
        for one, other in self._pairs(lowering.problem):
            lowering.relate(self, one, other, Relation.APART_ON_DAY, self.at_least)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/lessons")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        return combinations(self.lessons.of(problem), 2)
