"""Time to change rooms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.timetable.bounds import MOST_PERIODS
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons, People
from core.timetable.rules.travel import clock_of_periods, in_a_day
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class RoomChanges(Rule):
    """Two lessons of a day in different rooms have at least ``least`` free periods between them.

    With 1, only lessons that follow one another have to be in one room. With ``people`` the lessons of each of them
    count by themselves. A break counts as a period; a lesson without a room is anywhere; of a lesson with several rooms
    the first one counts. The deviation of each two lessons is the periods that are missing.
    """

    kind: Literal["room_changes"] = "room_changes"
    lessons: Lessons = Lessons()
    people: People | None = None
    least: int = Field(default=1, ge=1, le=MOST_PERIODS)

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each two lessons in different rooms that are too near."""
        begins, ends = clock_of_periods(view.calendar)
        for lessons in self._alike(view.problem):
            for one, other in in_a_day(view, lessons):
                rooms = view.rooms(one)[0], view.rooms(other)[0]
                missing = self.least - (begins[view.span(other).start] - ends[view.span(one)[-1]])
                if None not in rooms and rooms[0] != rooms[1] and missing > 0:
                    yield self._hurried(view, (one, other), rooms, missing)

    def _hurried(
        self, view: View, lessons: tuple[Lesson, Lesson], rooms: tuple[str | None, ...], missing: int
    ) -> Violation:
        one, other = lessons
        known = [view.problem.room.get(room or "") for room in rooms]
        names = [room.name if room else id_ or "" for room, id_ in zip(known, rooms, strict=True)]
        return self.violation(
            missing,
            f"{view.label(one)} is in {names[0]}, and then {view.label(other)} in {names[1]} on "
            f"{view.calendar.label(view.span(other).start)}, {counted(missing, 'period')} too soon for another room.",
            lessons=(one.id, other.id),
            rooms=rooms,
            slots=(*view.span(one), *view.span(other)),
        )

    def lower(self, lowering: Lowering) -> None:
        """Let each room be a building of its own."""
        begins, ends = clock_of_periods(lowering.calendar)
        for lessons in self._alike(lowering.problem):
            lowering.add_travel(
                [lesson.id for lesson in lessons],
                slots_between={},
                home=None,
                begins=begins,
                ends=ends,
                rooms_apart=self.least,
                function=self.cost,
                hard=self.hard,
                weight=self.weight,
            )

    def _alike(self, problem: Problem) -> Iterator[list[Lesson]]:
        """Yield the lessons with rooms that count together."""
        chosen = [lesson for lesson in self.lessons.of(problem) if lesson.rooms]
        if self.people is None:
            yield from [chosen] if len(chosen) > 1 else ()
            return
        meant = {lesson.id for lesson in chosen}
        for who in self.people.of(problem):
            own = [lesson for lesson in problem.lessons_of[who] if lesson.id in meant]
            yield from [own] if len(own) > 1 else ()
