"""Twice on a day is fine, in one go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, by_course, too_many

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class AdjacentOnDay(Rule):
    """Each two blocks of a course that are on one day follow one another without a free period between.

    So a third one on that day is too many. With ``by`` ``selection``, each two of all the lessons that are meant count.
    Each two that don't follow one another are one deviation.
    """

    kind: Literal["adjacent_on_day"] = "adjacent_on_day"
    lessons: Lessons = Lessons()
    by: Literal["course", "selection"] = "course"

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two of one day that don't follow one another."""
        for one, other in self._pairs(view.problem):
            if not view.all_placed((one, other)) or view.day(one) != view.day(other):
                continue
            before, after = view.span(one), view.span(other)
            if before.stop != after.start and after.stop != before.start:
                yield self.violation(
                    1,
                    f"{view.label(one)} and {view.label(other)} are both on {view.day_name(view.day(one))} and don't "
                    "follow one another.",
                    lessons=(one.id, other.id),
                    groups=one.groups,
                    slots=(before.start, after.start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Let each pair of a day be neighbours."""
        for one, other in self._pairs(lowering.problem):
            lowering.relate(self, one, other, Relation.ADJACENT_ON_DAY)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/lessons")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        chosen = list(self.lessons.of(problem))
        for lessons in by_course(chosen) if self.by == "course" else [chosen]:
            yield from combinations(lessons, 2)
