"""Days between the blocks of a course."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.bounds import MOST_DAYS
from core.timetable.program import Relation
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, by_course, too_many
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class DaysApart(Rule):
    """The days of each two blocks of a course differ by at least ``at_least``: 1 is another day, 2 leaves one between.

    With ``by`` ``selection``, each two of all the lessons that are meant count, of whatever course. The deviation of
    each two is the days that are missing.
    """

    kind: Literal["days_apart"] = "days_apart"
    lessons: Lessons = Lessons()
    at_least: int = Field(default=1, ge=1, le=MOST_DAYS)
    by: Literal["course", "selection"] = "course"

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two blocks that are too near."""
        for one, other in self._pairs(view.problem):
            if not view.all_placed((one, other)):
                continue
            apart = abs(view.day(one) - view.day(other))
            if apart < self.at_least:
                first, second = (view.day_name(day) for day in sorted((view.day(one), view.day(other))))
                when = f"on {first} and {second}" if apart else f"twice on {first}"
                yield self.violation(
                    self.at_least - apart,
                    f"{view.label(one)} comes {when}; its days should be at least {counted(self.at_least, 'day')} "
                    "apart.",
                    lessons=(one.id, other.id),
                    groups=one.groups,
                    slots=(view.span(one).start, view.span(other).start),
                )

    def lower(self, lowering: Lowering) -> None:
        """Keep each pair apart."""
        for one, other in self._pairs(lowering.problem):
            lowering.relate(self, one, other, Relation.DAYS_APART, self.at_least)

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also that the pairs are too many."""
        yield from super().faults(problem)
        yield from too_many(self._pairs(problem), "/lessons")

    def _pairs(self, problem: Problem) -> Iterator[tuple[Lesson, Lesson]]:
        chosen = list(self.lessons.of(problem))
        for lessons in by_course(chosen) if self.by == "course" else [chosen]:
            yield from combinations(lessons, 2)
