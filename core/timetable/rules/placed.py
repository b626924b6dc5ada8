"""That every lesson has its place, where that has a price of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Courses
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class Placed(Rule):
    """All lessons of a course have a place. The deviation of a course is its periods without one.

    It is judged where the timetable has to be complete. Elsewhere, and to solvers, a lesson has to have a place anyhow.
    """

    kind: Literal["placed"] = "placed"
    courses: Courses

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each course with lessons that have no place."""
        for _, lessons in self.courses.of(view.problem) if view.complete else ():
            missing = [lesson for lesson in lessons if lesson.id not in view.spans]
            if missing:
                periods = sum(lesson.duration for lesson in missing)
                yield self.violation(
                    periods,
                    f"{view.label(missing[0])} has {counted(periods, 'period')} without a place.",
                    lessons=tuple(lesson.id for lesson in missing),
                    groups=missing[0].groups,
                )

    def lower(self, lowering: Lowering) -> None:
        """Write nothing: solvers place every block."""
