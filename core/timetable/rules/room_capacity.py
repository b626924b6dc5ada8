"""Whether everybody has a seat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem, Room
    from core.timetable.view import View


class RoomCapacity(Rule):
    """A room has a seat for every student of the lesson's groups. The deviation is the seats that are missing.

    A group of unknown size counts as empty, a room of unknown capacity as large enough. The students of a lesson with
    several rooms part evenly among these; a part of a class that comes with its class is not counted twice.
    """

    kind: Literal["room_capacity"] = "room_capacity"
    lessons: Lessons = Lessons()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each room that is too small."""
        for lesson in view.placed(self.lessons.of(view.problem)):
            students = students_a_room(view.problem, lesson)
            for room in view.rooms(lesson):
                missing = seats_missing(view.problem.room.get(room or ""), students)
                if missing:
                    yield self._too_small(view, lesson, str(room), students, missing)

    def _too_small(self, view: View, lesson: Lesson, room: str, students: int, missing: int) -> Violation:
        named = view.problem.room[room]
        return self.violation(
            missing,
            f"{named.name} seats {named.capacity}, and {view.label(lesson)} on "
            f"{view.calendar.label(view.span(lesson).start)} has {counted(students, 'student')}.",
            lessons=(lesson.id,),
            groups=lesson.groups,
            rooms=(room,),
            slots=tuple(view.span(lesson)),
        )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each room by the seats that are missing."""
        rooms = lowering.problem.room
        for lesson in self.lessons.of(lowering.problem):
            students = students_a_room(lowering.problem, lesson)
            for n, need in enumerate(lesson.rooms):
                for choice in need.choices:
                    lowering.price_room(self, lesson, n, choice.room, seats_missing(rooms[choice.room], students))


def students_a_room(problem: Problem, lesson: Lesson) -> int:
    """Return how many students each room of a lesson has to seat."""
    groups = [problem.group[group] for group in set(lesson.groups)]
    students = sum(group.size or 0 for group in groups if group.within not in lesson.groups)
    return -(-students // max(len(lesson.rooms), 1))


def seats_missing(room: Room | None, students: int) -> int:
    """Return for how many students a room has no seat."""
    return 0 if room is None or room.capacity is None else max(0, students - room.capacity)
