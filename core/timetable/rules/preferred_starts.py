"""When lessons begin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, Slots

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class PreferredStarts(Rule):
    """Lessons start in some slots of the cycle. Each lesson that starts in another is one deviation."""

    kind: Literal["preferred_starts"] = "preferred_starts"
    lessons: Lessons
    slots: Slots

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each lesson that starts elsewhere."""
        preferred = frozenset(self.slots)
        for lesson in view.placed(self.lessons.of(view.problem)):
            start = view.span(lesson).start
            if start not in preferred:
                yield self.violation(
                    1,
                    f"{view.label(lesson)} starts on {view.calendar.label(start)}, which is none of its times.",
                    lessons=(lesson.id,),
                    groups=lesson.groups,
                    slots=(start,),
                )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each other start."""
        preferred = frozenset(self.slots)
        lessons = self.lessons.of(lowering.problem)
        lowering.price_starts(self, lessons, lambda span: int(span.start not in preferred))
