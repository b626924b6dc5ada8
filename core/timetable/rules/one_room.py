"""One room for all lessons that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Stability
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import NeedSets
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class OneRoom(Rule):
    """What a set of courses needs is met with one room in all their lessons. The deviation is the rooms too many."""

    kind: Literal["one_room"] = "one_room"
    needs: NeedSets

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each set in several rooms."""
        for needs in self.needs.of(view.problem):
            given = [(lesson, room) for lesson, need in needs if (room := view.rooms(lesson)[need]) is not None]
            rooms = tuple(sorted({room for _, room in given}))
            if len(rooms) > 1:
                yield self.violation(
                    len(rooms) - 1,
                    f"{view.label(given[0][0])} is in {counted(len(rooms), 'room')}; one should do.",
                    lessons=tuple(dict.fromkeys(lesson.id for lesson, _ in given)),
                    rooms=rooms,
                )

    def lower(self, lowering: Lowering) -> None:
        """Bound the rooms of each set."""
        for needs in self.needs.of(lowering.problem):
            if len(needs) > 1:
                stability = Stability(
                    source=lowering.source,
                    needs=tuple(lowering.need_of(lesson.id, need) for lesson, need in needs),
                    most=1,
                    function=self.cost,
                    hard=self.hard,
                    weight=self.weight,
                )
                lowering.add_stability(stability)
