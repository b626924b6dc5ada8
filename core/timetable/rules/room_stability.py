"""In how many rooms a course, a teacher or a class is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.program import Stability
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons
from core.timetable.wording import counted, listed

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class RoomStability(Rule):
    """The lessons of a course, a teacher or a group, or all that are meant, are in at most ``most`` different rooms.

    Of a lesson with several rooms the first one counts, where it mainly is. The deviation is the rooms too many.
    """

    kind: Literal["room_stability"] = "room_stability"
    lessons: Lessons = Lessons()
    most: int = Field(default=1, ge=1, le=5_000)
    by: Literal["course", "teacher", "group", "selection"] = "course"

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each course, teacher or group in too many rooms."""
        for key, lessons in self._alike(view.problem):
            placed = view.placed(lessons)
            rooms = sorted({room for lesson in placed if (room := view.rooms(lesson)[0]) is not None})
            if len(rooms) > self.most:
                by_lesson = self.by in {"course", "selection"}
                who = view.label(lessons[0]) if by_lesson else view.name((self.by, key))
                names = listed([view.problem.room[room].name for room in rooms if room in view.problem.room])
                yield self.violation(
                    len(rooms) - self.most,
                    f"{who} is in {counted(len(rooms), 'room')} ({names}); at most {self.most} may be.",
                    lessons=tuple(lesson.id for lesson in placed),
                    rooms=tuple(rooms),
                )

    def lower(self, lowering: Lowering) -> None:
        """Bound the rooms of each course, teacher or group."""
        for _, lessons in self._alike(lowering.problem):
            stability = Stability(
                source=lowering.source,
                needs=tuple(lowering.need_of(lesson.id, 0) for lesson in lessons),
                most=self.most,
                function=self.cost,
                hard=self.hard,
                weight=self.weight,
            )
            lowering.add_stability(stability)

    def _alike(self, problem: Problem) -> Iterator[tuple[str, list[Lesson]]]:
        found: dict[str, list[Lesson]] = defaultdict(list)
        for lesson in self.lessons.of(problem):
            keys = {"course": (lesson.course,), "teacher": lesson.teachers, "group": lesson.groups}.get(
                self.by, ("all",)
            )
            for key in dict.fromkeys(keys) if lesson.rooms else ():
                found[key].append(lesson)
        return ((key, lessons) for key, lessons in found.items() if len(lessons) > self.most)
