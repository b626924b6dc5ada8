"""When lessons had better not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, Slots
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class AvoidedSlots(Rule):
    """Lessons keep out of some slots of the cycle. The deviation of a lesson is its periods in them."""

    kind: Literal["avoided_slots"] = "avoided_slots"
    lessons: Lessons
    slots: Slots

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each lesson that is in a slot to avoid."""
        avoided = frozenset(self.slots)
        for lesson in view.placed(self.lessons.of(view.problem)):
            astray = tuple(slot for slot in view.span(lesson) if slot in avoided)
            if astray:
                yield self.violation(
                    len(astray),
                    f"{view.label(lesson)} is on {view.calendar.label(astray[0])}, with "
                    f"{counted(len(astray), 'period')} in a time to avoid.",
                    lessons=(lesson.id,),
                    groups=lesson.groups,
                    slots=astray,
                )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each start by the slots to avoid."""
        avoided = frozenset(self.slots)
        lessons = self.lessons.of(lowering.problem)
        lowering.price_starts(self, lessons, lambda span: sum(slot in avoided for slot in span))
