"""What has to follow right on what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class NextTo(Rule):
    """A lesson of ``second`` starts right where its partner in ``first`` ends, on the same day: theory, then practical.

    The first lesson of the one selection is the partner of the first of the other, in the problem's order, and so on.
    A break between makes no difference. Each two that don't follow each other are one deviation.
    """

    kind: Literal["next_to"] = "next_to"
    first: Lessons
    second: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two that don't follow each other."""
        for first, second in self._pairs(view.problem):
            if not view.all_placed((first, second)):
                continue
            before, after = view.span(first), view.span(second)
            if before.stop != after.start or view.day(first) != view.day(second):
                yield self.violation(
                    1,
                    f"{view.label(second)} on {view.calendar.label(after.start)} should come right after "
                    f"{view.label(first)}, which is on {view.calendar.label(before.start)}.",
                    lessons=(first.id, second.id),
                    groups=second.groups,
                    slots=(before.start, after.start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Let each second follow its first."""
        for first, second in self._pairs(lowering.problem):
            lowering.relate(self, first, second, Relation.NEXT)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the two selections can't be paired."""
        yield from super().faults(problem)
        firsts, seconds = list(self.first.of(problem)), list(self.second.of(problem))
        if len(firsts) != len(seconds):
            yield Fault(
                "/second", f"These are {len(seconds)} lessons, and {len(firsts)} come before: each needs its partner."
            )
        if not {lesson.id for lesson in firsts}.isdisjoint(lesson.id for lesson in seconds):
            yield Fault("/second", "A lesson can't come right after itself: it is in both selections.")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        return zip(self.first.of(problem), self.second.of(problem), strict=False)
