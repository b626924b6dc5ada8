"""The same in another week: what lies a fixed time from its partner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class SlotsApart(Rule):
    """A lesson of ``second`` starts ``slots`` periods of the cycle after its partner in ``first``: alike in both weeks.

    The first lesson of the one selection is the partner of the first of the other, in the problem's order, and so on.
    Each two that don't lie so are one deviation.
    """

    kind: Literal["slots_apart"] = "slots_apart"
    first: Lessons
    second: Lessons
    slots: int = Field(ge=1, le=MOST_SLOTS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two that don't lie so."""
        for first, second in self._pairs(view.problem):
            if not view.all_placed((first, second)):
                continue
            there, due = view.span(second).start, view.span(first).start + self.slots
            if there != due:
                meant = view.calendar.label(due) if due < view.calendar.slots else "after the end of the cycle"
                yield self.violation(
                    1,
                    f"{view.label(second)} on {view.calendar.label(there)} should be on {meant}, because "
                    f"{view.label(first)} is on {view.calendar.label(view.span(first).start)}.",
                    lessons=(first.id, second.id),
                    groups=second.groups,
                    slots=(view.span(first).start, there),
                )

    def lower(self, lowering: Lowering) -> None:
        """Relate each two."""
        for first, second in self._pairs(lowering.problem):
            lowering.relate(self, first, second, Relation.OFFSET, self.slots)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the selections don't fit each other."""
        yield from super().faults(problem)
        firsts, seconds = list(self.first.of(problem)), list(self.second.of(problem))
        if len(firsts) != len(seconds):
            what = f"These are {len(seconds)} lessons, and {len(firsts)} are first: each needs its partner."
            yield Fault("/second", what)
        if not {lesson.id for lesson in firsts}.isdisjoint(lesson.id for lesson in seconds):
            yield Fault("/second", "A lesson is no partner of its own: it is in both selections.")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        return zip(self.first.of(problem), self.second.of(problem), strict=False)
