"""When lessons had better be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, Slots
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class PreferredSlots(Rule):
    """Lessons lie in some slots of the cycle (P8-04). The deviation of a lesson is its periods outside them."""

    kind: Literal["preferred_slots"] = "preferred_slots"
    lessons: Lessons
    slots: Slots

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each lesson that is outside its slots."""
        preferred = frozenset(self.slots)
        for lesson in view.placed(self.lessons.of(view.problem)):
            astray = tuple(slot for slot in view.span(lesson) if slot not in preferred)
            if astray:
                yield self.violation(
                    len(astray),
                    f"{view.label(lesson)} is on {view.calendar.label(astray[0])}, which is "
                    f"{counted(len(astray), 'period')} outside its preferred time.",
                    lessons=(lesson.id,),
                    groups=lesson.groups,
                    slots=astray,
                )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each start by the slots outside."""
        preferred = frozenset(self.slots)
        lessons = self.lessons.of(lowering.problem)
        lowering.price_starts(self, lessons, lambda span: sum(slot not in preferred for slot in span))
