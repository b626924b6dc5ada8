"""How many kinds of lessons somebody has in a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.errors import Fault
from core.timetable.program import Combine, Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import EVERY, Lessons, People
from core.timetable.wording import counted, whom

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class KindsADay(Rule):
    """Somebody has lessons of at most ``most`` of several kinds in a day.

    Each of ``kinds`` is a selection of lessons; a lesson in several of them is of each of these kinds. The deviation is
    the kinds too many, day by day.
    """

    kind: Literal["kinds_a_day"] = "kinds_a_day"
    people: People = People(teachers=EVERY)
    kinds: tuple[Lessons, ...] = Field(min_length=2, max_length=64)
    most: int = Field(default=1, ge=1, le=64)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day of too many kinds."""
        for who, kinds in self._by_kind(view.problem):
            for day in view.calendar.windows:
                there = [[lesson for lesson in kind if not set(view.span(lesson)).isdisjoint(day)] for kind in kinds]
                found = [lessons for lessons in there if lessons]
                if len(found) > self.most:
                    lessons = list(dict.fromkeys(lesson for of_kind in found for lesson in of_kind))
                    yield self.violation(
                        len(found) - self.most,
                        f"{view.name(who)} has lessons of {counted(len(found), 'kind')} on "
                        f"{view.day_name(view.calendar.day_of[day[0]])}; at most {self.most} may be.",
                        lessons=tuple(lesson.id for lesson in lessons),
                        slots=tuple(slot for lesson in lessons for slot in view.span(lesson)),
                        **whom(who),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Bound on each day the kinds of which any lesson is."""
        for _, kinds in self._by_kind(lowering.problem):
            tracks = tuple(lowering.track(lesson.id for lesson in lessons) for lessons in kinds)
            for day in lowering.calendar.windows:
                lowering.bound(
                    self,
                    dict.fromkeys(lesson for lessons in kinds for lesson in lessons),
                    Measure.ACTIVE,
                    (day,) * len(tracks),
                    window_tracks=tracks,
                    high=self.most,
                    combine=Combine.SUM_VALUE,
                )

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also what the kinds name that is not there."""
        yield from super().faults(problem)
        for i, lessons in enumerate(self.kinds):
            yield from lessons.faults(problem, f"/kinds/{i}")

    def _by_kind(self, problem: Problem) -> Iterator[tuple[tuple[str, str], list[list[Lesson]]]]:
        """Yield everybody who has lessons of more kinds than may be, with these by kind."""
        chosen = [{lesson.id for lesson in kind.of(problem)} for kind in self.kinds]
        for who in self.people.of(problem):
            own = [[lesson for lesson in problem.lessons_of[who] if lesson.id in ids] for ids in chosen]
            kinds = [lessons for lessons in own if lessons]
            if len(kinds) > self.most:
                yield who, kinds
