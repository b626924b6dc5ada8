"""Into what blocks a course is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.points import Courses
from core.timetable.wording import bounds, counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class Parts(Rule):
    """A course is cut into ``least`` to ``most`` blocks of ``shortest`` to ``longest`` periods.

    With ``others``, it may have blocks of other lengths besides; else each of these is a deviation too. How a course is
    cut is settled before a timetable is made, so this says what the cut costs.
    """

    kind: Literal["parts"] = "parts"
    courses: Courses
    shortest: int = Field(default=1, ge=0, le=MOST_SLOTS)
    longest: int = Field(default=MOST_SLOTS, ge=0, le=MOST_SLOTS)
    least: int = Field(default=0, ge=0, le=MOST_SLOTS)
    most: int = Field(default=MOST_SLOTS, ge=0, le=MOST_SLOTS)
    others: bool = False

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each course that is cut otherwise."""
        for _, lessons in self.courses.of(view.problem):
            deviation = self.deviation([lesson.duration for lesson in lessons])
            if deviation:
                yield self.violation(
                    deviation,
                    f"{view.label(lessons[0])} is cut into {counted(len(lessons), 'block')} of "
                    f"{', '.join(str(lesson.duration) for lesson in lessons)}; of {self.shortest} to {self.longest} "
                    f"periods {bounds(self.least, self.most)}.",
                    lessons=tuple(lesson.id for lesson in lessons),
                    groups=lessons[0].groups,
                )

    def deviation(self, durations: list[int]) -> int:
        """Return how far a cut is from what it should be."""
        fitting = sum(self.shortest <= duration <= self.longest for duration in durations)
        counting = fitting if self.others else len(durations)
        unfit = 0 if self.others else len(durations) - fitting
        return unfit + outside(counting, self.least, self.most)

    def lower(self, lowering: Lowering) -> None:
        """Charge what the cut of each course costs."""
        for _, lessons in self.courses.of(lowering.problem):
            lowering.charge(self, lessons, self.deviation([lesson.duration for lesson in lessons]))
