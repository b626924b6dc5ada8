"""What may not be at the same time, though nobody attends or teaches both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, too_many
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Problem
    from core.timetable.view import View


class NoOverlap(Rule):
    """No two of these lessons are at the same time. The deviation of each two is the periods in which both are."""

    kind: Literal["no_overlap"] = "no_overlap"
    lessons: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two that overlap."""
        there: dict[int, list[str]] = {}
        for lesson in view.placed(self.lessons.of(view.problem)):
            for slot in view.span(lesson):
                there.setdefault(slot, []).append(lesson.id)
        overlaps = Counter(pair for lessons in there.values() for pair in combinations(lessons, 2))
        for (one, other), periods in overlaps.items():
            first, second = view.problem.lesson[one], view.problem.lesson[other]
            start = max(view.span(first).start, view.span(second).start)
            yield self.violation(
                periods,
                f"{view.label(first)} and {view.label(second)} should not be at the same time, and are for "
                f"{counted(periods, 'period')} from {view.calendar.label(start)}.",
                lessons=(one, other),
                groups=(*first.groups, *second.groups),
                slots=tuple(range(start, start + periods)),
            )

    def lower(self, lowering: Lowering) -> None:
        """Make them exclude each other, or price each two."""
        lessons = list(self.lessons.of(lowering.problem))
        if self.hard:
            lowering.add_exclusive((lesson.id for lesson in lessons), ("lessons", self.kind))
            return
        for one, other in combinations(lessons, 2):
            lowering.relate(self, one, other, Relation.NO_OVERLAP)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(combinations(self.lessons.of(problem), 2) if not self.hard else (), "/lessons")
