"""Nobody comes for a single period."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import runs
from core.timetable.rules.selecting import People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class NoLonePeriod(Rule):
    """Each period that somebody has on a day is next to another one.

    The deviation is a day's periods that have no neighbour. It is judged once all lessons of the person are placed.
    """

    kind: Literal["no_lone_period"] = "no_lone_period"
    people: People

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day with periods that stand alone."""
        for who, lessons in view.people(self.people):
            busy = view.busy(lessons) if view.all_placed(lessons) else frozenset()
            for day, window in enumerate(view.calendar.windows):
                alone = tuple(run[0] for run in runs(busy, window) if len(run) == 1)
                if alone:
                    yield self.violation(
                        len(alone),
                        f"{view.name(who)} has {counted(len(alone), 'period')} alone on {view.day_name(day)}; each "
                        "should have a neighbour.",
                        slots=alone,
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound the lone slots of each day."""
        for lessons in lowering.people(self.people):
            lowering.bound(self, lessons, Measure.LONE, lowering.calendar.windows)
