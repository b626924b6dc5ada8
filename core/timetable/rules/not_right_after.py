"""What had better not follow on what."""

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


class NotRightAfter(Rule):
    """For no student does a lesson of ``second`` start right where one of ``first`` ends (P8-05, C-55).

    The order counts: with PE as ``first`` and laboratory doubles as ``second``, PE after the laboratory is fine. A
    break between makes no difference. Each time that it happens is one deviation.
    """

    kind: Literal["not_right_after"] = "not_right_after"
    first: Lessons
    second: Lessons

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each time that a second lesson follows right on a first."""
        for first, second in self._pairs(view.problem):
            before, after = view.span(first), view.span(second)
            if before and after and before.stop == after.start and view.day(first) == view.day(second):
                when = view.calendar.label(after.start)
                yield self.violation(
                    1,
                    f"{view.label(second)} comes right after {view.label(first)} on {when}.",
                    lessons=(first.id, second.id),
                    groups=second.groups,
                    slots=(*before, *after),
                )

    def lower(self, lowering: Lowering) -> None:
        """Keep each pair from following each other."""
        for first, second in self._pairs(lowering.problem):
            lowering.relate(self, first, second, Relation.NOT_NEXT)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/second")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        """Yield each first with each second that some student attends as well."""
        seconds = list(self.second.of(problem))
        by_group: dict[str, list[Lesson]] = {}
        for lesson in seconds:
            for group in lesson.groups:
                by_group.setdefault(group, []).append(lesson)
        for first in self.first.of(problem):
            near = {other for group in first.groups for other in problem.sharing[group]}
            found = {second.id: second for group in sorted(near) for second in by_group.get(group, ())}
            yield from ((first, second) for second in found.values() if second.id != first.id)
