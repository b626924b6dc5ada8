"""Which rooms a course had better have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from core.errors import Fault
from core.timetable.rules.base import Rule, Violation
from core.timetable.rules.points import Needs, price_each
from core.timetable.rules.selecting import unknown
from core.timetable.wording import counted

if TYPE_CHECKING:
    from core.timetable.lowering import Lowering
    from core.timetable.model import Lesson, Problem
    from core.timetable.view import View


class RoomAmong(Rule):
    """A course's lessons are given rooms among ``rooms``. The deviation of a need is the periods in others."""

    kind: Literal["room_among"] = "room_among"
    needs: Needs
    rooms: tuple[str, ...] = ()

    def check(self, view: View) -> Iterator[Violation]:
        """Yield each need that is met with other rooms."""
        liked = {None, *self.rooms}
        for need, lessons in self.needs.of(view.problem):
            astray = [lesson for lesson in view.placed(lessons) if view.rooms(lesson)[need] not in liked]
            if astray:
                periods = sum(lesson.duration for lesson in astray)
                yield self.violation(
                    periods,
                    f"{view.label(astray[0])} has {counted(periods, 'period')} in a room that is none for it.",
                    lessons=tuple(lesson.id for lesson in astray),
                    rooms=tuple(sorted({str(view.rooms(lesson)[need]) for lesson in astray})),
                )

    def lower(self, lowering: Lowering) -> None:
        """Forbid other rooms, or give them their price."""
        for need, lessons in self.needs.of(lowering.problem):
            if self.hard:
                for lesson in lessons:
                    for room in self._others(lesson, need):
                        lowering.forbid_room(lesson.id, need, room)
            else:
                self._price(lowering, need, lessons)

    def _price(self, lowering: Lowering, need: int, lessons: tuple[Lesson, ...]) -> None:
        def add(lesson: Lesson, price: int) -> None:
            for room in self._others(lesson, need):
                lowering.add_room_cost(lesson.id, need, room, price)

        price_each(self, lowering, lessons, lambda lesson: lesson.duration, add)

    def _others(self, lesson: Lesson, need: int) -> list[str]:
        return [choice.room for choice in lesson.rooms[need].choices if choice.room not in self.rooms]

    def faults(self, problem: Problem) -> Iterator[Fault]:
        """Yield also each room that the problem doesn't know."""
        yield from super().faults(problem)
        yield from unknown("room", self.rooms, problem.room, "/rooms")
