"""That every lesson has its room, where that has a price of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Needs
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class RoomGiven(Rule):
    """All lessons of a course are given the room that they need. The deviation of a need is the periods without one.

    It is judged where the timetable has to be complete. Elsewhere, and to solvers, a need has to be met anyhow.
    """

    kind: Literal["room_given"] = "room_given"
    needs: Needs

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each need that is not met in some lessons."""
        for need, lessons in self.needs.of(view.problem) if view.complete else ():
            missing = [lesson for lesson in lessons if view.rooms(lesson)[need] is None]
            if missing:
                periods = sum(lesson.duration for lesson in missing)
                yield self.violation(
                    periods,
                    f"{view.label(missing[0])} has {counted(periods, 'period')} without a room that it needs.",
                    lessons=tuple(lesson.id for lesson in missing),
                    groups=missing[0].groups,
                )

    def lower(self, lowering: Lowering) -> None:
        """Write nothing: solvers give every need a room."""
