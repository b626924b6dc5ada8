"""No double runs across a break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Calendar
    from core.timetable.view import View


class BlocksWithinBreaks(Rule):
    """A block of two or more periods lies between two breaks. The deviation is the breaks that it spans."""

    kind: Literal["blocks_within_breaks"] = "blocks_within_breaks"
    lessons: Lessons = Lessons()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each block that spans a break."""
        for lesson in view.placed(self.lessons.of(view.problem)):
            span = view.span(lesson)
            spanned = breaks_in(view.calendar, span)
            if spanned:
                yield self.violation(
                    spanned,
                    f"{view.label(lesson)} runs across a break on {view.calendar.label(span.start)}.",
                    lessons=(lesson.id,),
                    groups=lesson.groups,
                    slots=tuple(span),
                )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each start from which the block would span a break."""
        blocks = (lesson for lesson in self.lessons.of(lowering.problem) if lesson.duration > 1)
        lowering.price_starts(self, blocks, lambda span: breaks_in(lowering.calendar, span))


def breaks_in(calendar: Calendar, span: range) -> int:
    """Return how many breaks lie inside a block."""
    return sum(calendar.period(slot).break_after for slot in span[:-1])
