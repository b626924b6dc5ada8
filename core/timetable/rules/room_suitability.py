"""Which of the rooms that would do is the better one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.selecting import Lessons

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.view import View


class RoomSuitability(Rule):
    """Lessons are in the best of their rooms. The deviation of a room is the penalty that its choice names.

    Where the rule is hard, only rooms without a penalty will do.
    """

    kind: Literal["room_suitability"] = "room_suitability"
    lessons: Lessons = Lessons()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each room that is not the best."""
        for lesson in view.placed(self.lessons.of(view.problem)):
            for need, room in zip(lesson.rooms, view.rooms(lesson), strict=True):
                penalty = next((choice.penalty for choice in need.choices if choice.room == room), 0)
                if penalty:
                    name = view.problem.room[str(room)].name
                    yield self.violation(
                        penalty,
                        f"{view.label(lesson)} is in {name} on {view.calendar.label(view.span(lesson).start)}, which "
                        "is not its best room.",
                        lessons=(lesson.id,),
                        rooms=(str(room),),
                        slots=tuple(view.span(lesson)),
                    )

    def lower(self, lowering: Lowering) -> None:
        """Price or forbid each room by its penalty."""
        for lesson in self.lessons.of(lowering.problem):
            for n, need in enumerate(lesson.rooms):
                for choice in need.choices:
                    lowering.price_room(self, lesson, n, choice.room, choice.penalty)
