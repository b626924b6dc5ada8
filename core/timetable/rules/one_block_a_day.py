"""A subject comes at most once a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_SLOTS
from core.timetable.program import Measure
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.measuring import outside
from core.timetable.rules.selecting import Lessons

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class OneBlockADay(Rule):
    """On no day more than ``most`` blocks start of one course, or of one subject for one group.

    A double is one block. The deviation is the blocks too many on a day.
    """

    kind: Literal["one_block_a_day"] = "one_block_a_day"
    lessons: Lessons = Lessons()
    most: int = Field(default=1, ge=1, le=MOST_SLOTS)
    by: Literal["course", "subject_and_group"] = "course"

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each day of a course with too many blocks."""
        for lessons in self._alike(view.problem):
            starts = view.starts(lessons)
            for day, window in enumerate(view.calendar.windows):
                there = [lesson for slot in window for lesson in starts.get(slot, ())]
                over = outside(len(there), 0, self.most)
                if over:
                    yield self._too_many(view, there, day, over)

    def _too_many(self, view: View, there: list[Lesson], day: int, over: int) -> Violation:
        return self.violation(
            over,
            f"{view.label(there[0])} has {len(there)} blocks on {view.day_name(day)}; at most {self.most} may be.",
            lessons=tuple(lesson.id for lesson in there),
            groups=there[0].groups,
            slots=tuple(view.span(lesson).start for lesson in there),
        )

    def lower(self, lowering: Lowering) -> None:
        """Bound the starts of each day."""
        for lessons in self._alike(lowering.problem):
            lowering.bound(self, lessons, Measure.STARTS, lowering.calendar.windows, high=self.most)

    def _alike(self, problem: Problem) -> Iterator[list[Lesson]]:
        found: dict[tuple[str, ...], list[Lesson]] = defaultdict(list)
        for lesson in self.lessons.of(problem):
            if self.by == "course":
                found[(lesson.course,)].append(lesson)
            else:
                for group in sorted(set(lesson.groups)):
                    found[lesson.subject, group].append(lesson)
        return (lessons for lessons in found.values() if len(lessons) > self.most)
