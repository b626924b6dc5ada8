"""A day begins with its first period and has no hole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import late
from core.timetable.rules.selecting import EVERY, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class CompactDay(Rule):
    """Somebody's day begins with the first period and has no idle one before its last lesson; a day off is fine.

    A class counts as busy when a part of it is. The deviation is a day's idle periods before its last lesson. It is
    judged once all lessons of the person are placed, because what isn't placed yet may fill a hole.
    """

    kind: Literal["compact_day"] = "compact_day"
    people: People = People(groups=EVERY)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day that has a hole or begins late."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons) if view.all_placed(lessons) else frozenset()
            for day, window in enumerate(view.calendar.windows):
                idle = late(busy, window)
                if idle:
                    yield self.violation(
                        len(idle),
                        f"{view.name(who)} has {counted(len(idle), 'free period')} before the last lesson on "
                        f"{view.day_name(day)}.",
                        slots=tuple(idle),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Allow no idle slot before a day's last busy one."""
        for lessons in lowering.people(self.people):
            lowering.bound(self, lessons, Measure.LATE, lowering.calendar.windows)
